//! `serve`: what it refuses to start with, and how it ends.

use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use crate::Shell;

/// A relay that runs, and the line it has printed.
struct Running {
    child: Child,
    line: String,
}

impl Running {
    fn start(shell: &Shell, arguments: &[&str]) -> Self {
        Self::run(shell.command(arguments))
    }

    /// Starts a relay that may have so many files open, and no more.
    fn start_with_files(shell: &Shell, files: u32, arguments: &[&str]) -> Self {
        let relay = shell.command(arguments);
        let mut command = shell.command_of("sh");
        command.args(["-c", "ulimit -n \"$1\"; shift; exec \"$@\"", "sh", &files.to_string()]);
        command.arg(relay.get_program()).args(relay.get_args());
        Self::run(command)
    }

    fn run(mut command: Command) -> Self {
        command.arg("--print-address").stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, line }
    }

    /// Sends SIGTERM; gives the log.
    fn stop(mut self) -> String {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert!(self.child.wait().unwrap().success(), "{log}");
        log
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn both_forms_of_the_command_line_serve_and_stop() {
    let shell = Shell::with_relay();
    shell.write("relay.toml", shell.text("relay.toml").replace(":9090", ":0"));
    for arguments in
        [&["serve"][..], &["serve", "--config", "relay.toml"], &["serve", "127.0.0.1", "0", "user_list"]]
    {
        let relay = Running::start(&shell, arguments);
        assert!(
            relay.line.starts_with("listening on 127.0.0.1:") && !relay.line.ends_with(":0\n"),
            "{}",
            relay.line
        );
        let log = relay.stop();
        assert!(log.contains("listening") && log.contains("stopping"), "{log}");
    }
}

#[test]
fn a_relay_without_free_file_descriptors_recovers() {
    let shell = Shell::with_relay();
    let mut relay = Running::start_with_files(&shell, 40, &["serve", "127.0.0.1", "0", "user_list"]);
    let address = relay.line.trim().strip_prefix("listening on ").unwrap().to_owned();
    let crowd: Vec<_> = (0..60).map(|_| TcpStream::connect(&address).unwrap()).collect();
    let mut log = BufReader::new(relay.child.stderr.take().unwrap()).lines();
    assert!(log.any(|line| line.unwrap().contains("cannot accept connections")), "it had enough");
    drop(crowd);
    let mut newcomer = TcpStream::connect(&address).unwrap();
    newcomer.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let mut s1 = [0; 9];
    newcomer.read_exact(&mut s1).unwrap();
    assert_eq!(&s1[2..], b"secchat");
}

#[test]
fn a_taken_port_is_named() {
    let shell = Shell::with_relay();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let error = shell.fails(&["serve", "127.0.0.1", &port, "user_list"]);
    assert!(
        error.contains(&format!("127.0.0.1:{port} is taken")) && error.contains("another port"),
        "{error}"
    );
    let error = shell.fails(&["serve", "192.0.2.1", "0", "user_list"]);
    assert!(error.contains("cannot listen on 192.0.2.1:0"), "{error}");
}

#[test]
fn every_error_of_the_list_is_told_at_once() {
    let shell = Shell::with_relay();
    shell.write("user_list", "../x\nalice MCow\nbob\nbob\n");
    let error = shell.fails(&["serve", "127.0.0.1", "0", "user_list"]);
    for place in ["user_list:1: ", "user_list:2: ", "user_list:3: ", "user_list:4: "] {
        assert!(error.contains(place), "{place} is not in {error}");
    }
    let error = shell.fails(&[
        "serve",
        "127.0.0.1",
        "0",
        "nowhere",
        "--key",
        "relay-key.pem",
        "--certificate",
        "relay.pem",
    ]);
    assert!(error.contains("nowhere: the list of users cannot be read"), "{error}");
}

#[test]
fn a_configuration_with_errors_is_refused_with_its_line() {
    let shell = Shell::with_relay();
    let good = shell.text("relay.toml");
    let lines = good.lines().count();
    for (more, word) in
        [("prot = 1", "unknown field `prot`"), ("log = 7", "expected a string"), ("[limits]\nchats = -1", "")]
    {
        shell.write("relay.toml", format!("{good}{more}\n"));
        let error = shell.fails(&["serve", "--config", "relay.toml"]);
        let line = lines + more.lines().count();
        assert!(error.contains(&format!("relay.toml:{line}: ")) && error.contains(word), "{more}: {error}");
    }
    let error = shell.fails(&["serve"]);
    assert!(error.starts_with("secchat-relay: relay.toml:"), "{error}");
    let error = Shell::new().fails(&["serve"]);
    assert!(
        error.contains("no relay.toml in this folder") && error.contains("ADDRESS PORT USER_LIST"),
        "{error}"
    );
    std::fs::create_dir(shell.path("conf")).unwrap();
    let error = shell.fails(&["serve", "--config", "conf"]);
    assert!(error.contains("conf: is a folder") && error.contains("--config conf/relay.toml"), "{error}");
    let error = shell.fails(&["serve", "--config", "none.toml"]);
    assert!(error.contains("none.toml: cannot be read"), "{error}");
    shell.write("relay.toml", &good);
    let error = shell.fails(&["serve", "--config", "relay.toml", "--log", "a=b=c"]);
    assert!(error.contains("\"a=b=c\"") && error.contains("try \"info\""), "{error}");
    for usage in [&["serve", "127.0.0.1"][..], &["serve", "127.0.0.1", "70000", "l"], &["swerve"]] {
        assert_eq!(shell.relay(usage).status.code(), Some(2), "{usage:?}");
    }
}

#[test]
fn credentials_that_do_not_serve_are_refused_with_what_mends_them() {
    let shell = Shell::with_relay();
    let serve = ["serve", "127.0.0.1", "0", "user_list"];
    let refused = |flags: &[&str]| shell.fails(&[&serve[..], flags].concat());

    shell.openssl("genpkey -algorithm ed25519 -out other.key");
    assert!(refused(&["--key", "other.key"]).contains("relay.pem is not the certificate of other.key"));
    shell.openssl("pkey -in relay-key.pem -aes256 -passout pass:aaa -out locked.key");
    let error = refused(&["--key", "locked.key"]);
    assert!(
        error.contains("locked.key is encrypted") && error.contains("openssl pkey -in locked.key"),
        "{error}"
    );
    let error = refused(&["--key", "none.key"]);
    assert!(error.contains("none.key") && error.contains("--key"), "{error}");
    assert!(refused(&["--certificate", "relay-key.pem"]).contains("relay-key.pem holds no certificate"));
    assert!(refused(&["--crl", "relay.pem"]).contains("relay.pem holds no certificate revocation list"));
    assert!(refused(&["--crl", "none.pem"]).contains("--crl"));

    for mode in [0o640, 0o604, 0o620] {
        std::fs::set_permissions(shell.path("relay-key.pem"), PermissionsExt::from_mode(mode)).unwrap();
        let error = refused(&[]);
        assert!(error.contains(&format!("mode {mode:04o}")) && error.contains("chmod 600 "), "{error}");
    }
    std::fs::copy(shell.path("relay-key.pem"), shell.path("my key.pem")).unwrap();
    let error = refused(&["--key", "my key.pem"]);
    assert!(error.contains("`chmod 600 'my key.pem'`"), "it can be pasted: {error}");
    std::fs::set_permissions(shell.path("relay-key.pem"), PermissionsExt::from_mode(0o400)).unwrap();
    Running::start(&shell, &serve).stop();
}

#[test]
fn what_openssls_command_line_made_serves() {
    let shell = Shell::new();
    shell.openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=CA -days 30");
    shell.openssl("req -newkey rsa:2048 -nodes -keyout relay-key.pem -out relay.csr -subj /CN=localhost");
    shell.openssl("x509 -req -in relay.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out relay.pem -days 30");
    std::fs::set_permissions(shell.path("relay-key.pem"), PermissionsExt::from_mode(0o600)).unwrap();
    shell.write("user_list", "alice\n");
    shell.openssl("genrsa -out alice.key 2048");
    shell.openssl("rsa -in alice.key -pubout -out alice_pubkey.pem");
    let relay = Running::start(&shell, &["serve", "127.0.0.1", "0", "user_list"]);
    assert!(relay.line.starts_with("listening on "));
    let log = relay.stop();
    assert!(log.contains("there is no CRL"), "{log}");

    shell.openssl("genrsa -out small.key 1024");
    shell.openssl("req -x509 -key small.key -out small.pem -subj /CN=localhost");
    let error = shell.fails(&[
        "serve",
        "127.0.0.1",
        "0",
        "user_list",
        "--key",
        "small.key",
        "--certificate",
        "small.pem",
    ]);
    assert!(error.contains("small.key: this kind or size of key is not permitted"), "{error}");
}

#[test]
fn what_ends_soon_and_what_has_ended_is_logged_once() {
    let shell = Shell::with_relay();
    shell.write("index.txt", "");
    shell.write("ca.cnf", "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_md=default\n");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let next = secchat_relay::dates::day(now + 5 * 86_400);
    shell.openssl(&format!(
        "ca -gencrl -config ca.cnf -cert ca.pem -keyfile ca-key.pem -out crl.pem \
         -crl_lastupdate 260101000000Z -crl_nextupdate {}235959Z",
        next.replace('-', "")
    ));
    shell.write("ext", "subjectAltName=DNS:localhost\n");
    shell.openssl("req -new -key relay-key.pem -subj /CN=localhost -out r.csr");
    shell.openssl(
        "x509 -req -in r.csr -CA ca.pem -CAkey ca-key.pem -set_serial 9 -out relay.pem -days -1 -extfile ext",
    );
    let log = Running::start(&shell, &["serve", "127.0.0.1", "0", "user_list"]).stop();
    for word in [
        "ERROR",
        "the certificate has ended on ",
        "secchat-relay cert renew",
        "WARN",
        &format!("the CRL ends in 6 days, on {next}"),
        "secchat-relay crl refresh",
    ] {
        assert_eq!(log.matches(word).count(), 1, "{word}: {log}");
    }
    let log = Running::start(&Shell::with_relay(), &["serve", "127.0.0.1", "0", "user_list"]).stop();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
}
