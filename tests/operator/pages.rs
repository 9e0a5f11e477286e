//! The man pages in `dist/man`: `man` finds no fault with them, and what user_list(5) says is so. (That
//! secchat-relay(8) has every option is tested in `e2e`, where it is made.)

use std::path::{Path, PathBuf};
use std::process::Command;

use openssl::pkey::PKey;
use secchat_e2e::{Operator, public_key_base64};
use secchat_proto::limits::MAX_USER_NAME_BYTES;
use secchat_relay::user_list::UserList;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/man")
}

fn page(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap()
}

/// The examples between `.EX` and `.EE`, as a reader sees them.
fn examples(page: &str) -> Vec<String> {
    let examples = page.split("\n.EX\n").skip(1).map(|rest| rest.split("\n.EE\n").next().unwrap());
    examples.map(|text| text.replace("\\-", "-").replace("\\fI", "").replace("\\fR", "")).collect()
}

#[test]
fn man_finds_no_fault_with_any_page() {
    let mut count = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let page = entry.unwrap().path();
        let shown = Command::new("man")
            .args(["--warnings", "-E", "UTF-8", "-l"])
            .arg(&page)
            .env("MANWIDTH", "80")
            .stdin(std::process::Stdio::null())
            .output()
            .expect("man: `dist/install-needs --test` installs it");
        let complaints = String::from_utf8_lossy(&shown.stderr);
        assert!(shown.status.success() && complaints.is_empty(), "{}: {complaints}", page.display());
        assert!(shown.stdout.len() > 500, "{} is shown", page.display());
        count += 1;
    }
    assert!(count >= 4, "{count} pages");
}

#[test]
fn the_example_of_user_list_is_one() {
    let page = page("user_list.5");
    let examples = examples(&page);
    let key = PKey::generate_ed25519().unwrap();
    let list = UserList::parse(examples.last().unwrap().as_bytes(), Path::new("user_list"), |name| {
        (PathBuf::from(format!("{name}_pubkey.pem")), Ok(key.public_key_to_pem().unwrap()))
    });
    let list = list.unwrap();
    let names: Vec<&str> = list.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["alice", "bob.b", "carol"]);
    assert!(
        page.contains(&format!("\n1 to {MAX_USER_NAME_BYTES} of a\\-z, 0\\-9, dot, underscore and hyphen"))
    );
}

#[tokio::test]
async fn the_configuration_of_the_relays_page_is_one_and_has_every_key() {
    let operator = Operator::init().await;
    let page = page("secchat-relay.8");
    let examples = examples(&page);
    let example =
        examples.iter().find(|example| example.contains("\nlisten = ") || example.starts_with("listen = "));
    let example = example.expect("a configuration");
    operator.write("relay.toml", example.as_bytes());
    operator.run(&["check"]).await.ok();
    // The relay itself knows its keys best.
    operator.write("relay.toml", b"listen = \"localhost:0\"\nno_such_key = 1\n");
    let said = operator.run(&["check"]).await.with_code(1).says("relay.toml:2: unknown field `no_such_key`");
    let known: Vec<&str> =
        said.stderr.split("expected one of ").nth(1).unwrap().split('`').skip(1).step_by(2).collect();
    assert!(known.len() >= 9 && known.contains(&"listen") && known.contains(&"limits"), "{known:?}");
    for key in known {
        let is_there = example.contains(&format!("{key} = ")) || example.contains(&format!("[{key}]"));
        assert!(is_there, "{key} is not in the configuration of secchat-relay(8)");
    }
}

#[tokio::test]
async fn the_commands_of_user_list_make_keys_that_are_taken() {
    let operator = Operator::init().await;
    let key = PKey::generate_ed25519().unwrap();
    operator.write("key.pem", &key.private_key_to_pem_pkcs8().unwrap());
    let page = page("user_list.5");
    let examples = examples(&page);
    let commands = examples.iter().find(|example| example.contains("openssl pkey")).expect("commands");
    let made = Command::new("bash")
        .args(["-euo", "pipefail", "-c", commands])
        .current_dir(operator.path(""))
        .output()
        .expect("bash and openssl");
    assert!(made.status.success(), "{made:?}");
    let line = String::from_utf8(made.stdout).unwrap();
    assert_eq!(line, public_key_base64(&key));
    operator.run(&["user", "add", "alice", "alice_pubkey.pem"]).await.ok();
    operator.run(&["user", "add", "bob", &line]).await.ok();
    let list = operator.run(&["user", "list", "--json"]).await.ok().json();
    assert_eq!(list[0]["key"], list[1]["key"]);
    // A bare name takes the file.
    operator.write("user_list", b"alice\n");
    let list = operator.run(&["user", "list", "--json"]).await.ok().json();
    assert_eq!(list[0]["key"], line);
}

#[test]
fn the_page_of_secchat_toml_has_every_key_and_default() {
    let page = page("secchat.toml.5");
    let defaults = secchat_daemon::config::Limits::default();
    for (key, default) in [
        ("inbox_messages", defaults.inbox_messages),
        ("inbox_bytes", defaults.inbox_bytes),
        ("incoming_requests", defaults.incoming_requests),
        ("cool_down_seconds", usize::try_from(defaults.cool_down.as_secs()).unwrap()),
        ("frontends", defaults.frontends),
    ] {
        assert!(page.contains(&format!("\\fB{key}\\fR (default {default})")), "{key} = {default}");
    }
    // Which keys there are, the daemon says.
    let home = secchat_e2e::Home::empty();
    let mut command = home.command("secchatd");
    let shown = command.arg("config").output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let keys: Vec<&str> = shown.lines().filter_map(|line| line.split('\t').next()).collect();
    assert!(keys.len() > 10, "{shown}");
    for key in keys {
        let key = key.trim_start_matches("limits.");
        assert!(page.contains(&format!("\\fB{key}\\fR")), "{key} is not in secchat.toml(5)");
    }
    home.write_config(examples(&page).last().unwrap());
    let example = home.command("secchatd").arg("config").output().unwrap();
    assert!(example.status.success(), "{example:?}");
}
