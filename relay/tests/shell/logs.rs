//! The log of a running relay: what it looks like, whom it names, and that nothing which happens to it stops the relay.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::Shell;

/// A relay whose standard error goes where a test says.
struct Logging(Child, String);

impl Logging {
    fn start(mut command: Command, log: impl Into<Stdio>) -> Self {
        command.arg("--print-address").stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self(child, address)
    }

    /// Whether it serves whoever comes.
    fn serves(&self) {
        let mut stream = TcpStream::connect(&self.1).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut s1 = [0; 9];
        stream.read_exact(&mut s1).unwrap();
        assert_eq!(&s1[2..], b"secchat");
    }

    /// SIGTERM: it must end by itself, and well.
    fn stop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What fits into a pipe.
const PIPE_BYTES: usize = 65_536;

fn serve(shell: &Shell, more: &[&str]) -> Command {
    shell.command(&[&["serve", "127.0.0.1", "0", "user_list", "--log", "debug"], more].concat())
}

#[test]
fn a_full_disk_a_closed_stream_and_a_reader_that_is_gone_do_not_stop_the_relay() {
    let shell = Shell::with_relay();
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let (reader, gone) = std::io::pipe().unwrap();
    drop(reader);
    // Full already: the first line waits for ever.
    let (_stuck_reader, mut stuck) = std::io::pipe().unwrap();
    stuck.write_all(&[b'\n'; PIPE_BYTES]).unwrap();
    for log in [Stdio::from(full()), Stdio::from(gone), Stdio::from(stuck), Stdio::null()] {
        let mut relay = Logging::start(serve(&shell, &[]), log);
        for _ in 0..20 {
            relay.serves();
        }
        relay.stop();
    }
    let mut closed = shell.command_of("sh");
    closed.args(["-c", "exec 2>&-; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_secchat-relay")]);
    closed.args(["serve", "127.0.0.1", "0", "user_list"]);
    let mut relay = Logging::start(closed, Stdio::null());
    relay.serves();
    relay.stop();
}

#[test]
fn json_is_one_object_a_line_with_the_ids_of_the_catalog() {
    let shell = Shell::with_relay();
    let config = shell.text("relay.toml").replace(":9090", ":0");
    shell.write("relay.toml", format!("log_format = \"json\"\n{config}"));
    let mut relay = Logging::start(shell.command(&["serve"]), Stdio::piped());
    relay.serves();
    let mut log = relay.0.stderr.take().unwrap();
    relay.stop();
    let mut text = String::new();
    log.read_to_string(&mut text).unwrap();
    let catalog = include_str!("../../../dist/systemd/secchat-relay.catalog");
    assert!(text.lines().count() >= 2, "{text}");
    for line in text.lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        let id = object["message_id"].as_str().unwrap_or_else(|| panic!("{line}"));
        assert!(catalog.contains(&format!("-- {id}\n")), "{line}");
    }
    assert!(text.contains("\"message\":\"listening\"") && text.contains("\"users\":0"), "{text}");
    shell.write("relay.toml", format!("log_format = \"xml\"\n{config}"));
    let error = shell.fails(&["serve"]);
    assert!(error.contains("relay.toml:1: ") && error.contains("json"), "{error}");
}

#[test]
fn the_catalogs_are_ones_that_journalctl_takes() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("usr/lib/systemd/catalog");
    std::fs::create_dir_all(&folder).unwrap();
    let catalog = include_str!("../../../dist/systemd/secchat-relay.catalog");
    std::fs::write(folder.join("secchat-relay.catalog"), catalog).unwrap();
    let daemons = include_str!("../../../dist/systemd/secchatd.catalog");
    std::fs::write(folder.join("secchatd.catalog"), daemons).unwrap();
    let Ok(updated) =
        Command::new("journalctl").arg("--root").arg(root.path()).arg("--update-catalog").output()
    else {
        return;
    };
    let said = String::from_utf8_lossy(&updated.stderr);
    assert!(updated.status.success() && said.trim().is_empty(), "{said}");
    let database = root.path().join("var/lib/systemd/catalog/database");
    let database = std::fs::read(database).unwrap();
    for text in ["A user has logged in", "Somebody asks to talk"] {
        assert!(database.windows(text.len()).any(|window| window == text.as_bytes()), "{text}");
    }
}

#[test]
fn scrubbed_errors_of_the_list_name_nobody() {
    let shell = Shell::with_relay();
    shell.write("user_list", "eve MCow\nmallory\n");
    let error = shell.fails(&["serve", "127.0.0.1", "0", "user_list", "--scrub"]);
    assert!(error.contains("user_list:1: ") && error.contains("user_list:2: "), "{error}");
    assert!(!error.contains("eve") && !error.contains("mallory"), "{error}");
}

#[test]
fn a_list_without_a_byte_is_served_and_told() {
    let shell = Shell::with_relay();
    shell.write("user_list", "");
    let mut relay = Logging::start(serve(&shell, &[]), Stdio::piped());
    relay.serves();
    let mut log = relay.0.stderr.take().unwrap();
    relay.stop();
    let mut text = String::new();
    log.read_to_string(&mut text).unwrap();
    assert!(text.contains("there are no users yet: nobody can log in"), "{text}");
}
