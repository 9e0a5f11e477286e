//! What `secchatctl init`, `keygen` and `--profile` make with the real secchatd, and that it works.

use std::path::Path;
use std::process::Stdio;

use secchat_e2e::{CtlOutput, Home, PASSPHRASE, Pki, Process, TestRelay};
use tokio::net::TcpListener;

#[tokio::test]
async fn what_init_makes_logs_in() {
    let (pki, port) = (Pki::new(), free_port().await);
    let home = prepared(&pki);
    let line = init(&home, &[], "alice", port).await.ok().stdout;
    assert!(line.starts_with("alice ") && line.lines().count() == 1, "{line}");
    let key = home.config_dir().join("identity.pem");
    assert!(std::fs::read_to_string(&key).unwrap().starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    is_private(&key);

    pki.write("user_list", line.as_bytes());
    let _relay = TestRelay::start_at(&pki, port).await;
    let _daemon = daemon(&home, &[]).await;
    ctl(&home, &["login"]).await.ok();
    let status = ctl(&home, &["status"]).await.ok();
    assert!(status.stdout.contains("alice"), "{status:?}");

    // A second time nothing is made, and the first one's files stay.
    let (config, before) = (home.config_dir().join("config.toml"), std::fs::read(&key).unwrap());
    let written = std::fs::read(&config).unwrap();
    init(&home, &[], "alice", port).await.with_code(1);
    assert_eq!((std::fs::read(&key).unwrap(), std::fs::read(&config).unwrap()), (before, written));
}

#[tokio::test]
async fn wrong_arguments_of_init_make_nothing() {
    let pki = Pki::new();
    let home = prepared(&pki);
    let no_certificate = "--ca=config.txt";
    std::fs::write(home.path("config.txt"), "no certificate").unwrap();
    for (wrong, code, said) in [
        ("--name=Alice", 2, "a name is"),
        ("--relay=localhost", 2, "HOST:PORT"),
        ("--ca=missing.pem", 1, "missing.pem"),
        (no_certificate, 2, "no certificate"),
        ("--kind=rsa1024", 2, "rsa1024"),
        ("--passphrase-fd=77", 2, "77"),
    ] {
        let (option, _) = wrong.split_once('=').unwrap();
        let mut arguments = vec!["init"];
        let good = ["--name=alice", "--relay=localhost:4433", "--ca=ca.pem", "--passphrase-fd=0"];
        arguments.extend(good.into_iter().filter(|good| !good.starts_with(option)));
        arguments.push(wrong);
        ctl(&home, &arguments).await.with_code(code).says(said);
        assert_eq!(std::fs::read_dir(home.config_dir()).unwrap().count(), 0, "{wrong} left something");
    }
}

#[tokio::test]
async fn keys_of_every_kind_are_private_and_never_overwritten() {
    let home = Home::empty();
    for kind in ["ed25519", "rsa2048", "rsa3072"] {
        let file = format!("c/secchat/{kind}.pem");
        let make = ["keygen", "--kind", kind, "--out", &file, "--passphrase-fd", "0"];
        let made = ctl(&home, &make).await.ok();
        let (path, public) = (home.path(&file), made.stdout.trim().to_owned());
        is_private(&path);
        let key = std::fs::read(&path).unwrap();
        ctl(&home, &make).await.with_code(1).says("not overwritten");
        assert_eq!(std::fs::read(&path).unwrap(), key);

        let pubkey = ["pubkey", "--key", &file, "--passphrase-fd", "0"];
        assert_eq!(run(&home, "secchatd", &pubkey, PASSPHRASE).await.ok().stdout.trim(), public);
        let refused = run(&home, "secchatd", &pubkey, "another one").await;
        assert!(refused.code != 0 && !refused.stdout.contains(&public), "{refused:?}");
    }
    ctl(&home, &["keygen", "--out", "nowhere/key.pem", "--no-passphrase"]).await.with_code(1).says("nowhere");
    assert!(!home.path("nowhere").exists());
}

#[tokio::test]
async fn profiles_live_side_by_side() {
    let (pki, port) = (Pki::new(), free_port().await);
    let home = prepared(&pki);
    let lines = [
        init(&home, &[], "alice", port).await.ok().stdout,
        init(&home, &["--profile", "work"], "bob", port).await.ok().stdout,
    ];
    pki.write("user_list", lines.concat().as_bytes());
    let _relay = TestRelay::start_at(&pki, port).await;
    let _alice = daemon(&home, &[]).await;
    ctl(&home, &["--profile", "work", "status"]).await.with_code(3);
    let _bob = daemon(&home, &["--profile", "work"]).await;
    ctl(&home, &["login"]).await.ok();
    ctl(&home, &["--profile", "work", "login"]).await.ok();
    let name = |output: CtlOutput| output.ok().json()["user"].as_str().unwrap().to_owned();
    assert_eq!(name(ctl(&home, &["--json", "status"]).await), "alice");
    assert_eq!(name(ctl(&home, &["--profile", "work", "--json", "status"]).await), "bob");
    let mut by_variable = home.command("secchatctl");
    by_variable.args(["--json", "status"]).env("SECCHAT_PROFILE", "work");
    assert_eq!(name(CtlOutput::of(by_variable, None).await), "bob");

    for wrong in ["../work", "a/b", ".", "-work", "work "] {
        ctl(&home, &[&format!("--profile={wrong}"), "status"]).await.with_code(2).says("profile");
        let refused = run(&home, "secchatd", &[&format!("--profile={wrong}")], "").await;
        refused.with_code(1).says("is no name for a profile");
    }
    ctl(&home, &["--profile", "elsewhere", "status"]).await.with_code(3);
}

/// A home with the relay's CA in its folder.
fn prepared(pki: &Pki) -> Home {
    let home = Home::empty();
    std::fs::write(home.path("ca.pem"), pki.ca.pem()).unwrap();
    home
}

async fn init(home: &Home, profile: &[&str], name: &str, port: u16) -> CtlOutput {
    let relay = format!("localhost:{port}");
    let init = ["init", "--name", name, "--relay", &relay, "--ca", "ca.pem", "--passphrase-fd", "0"];
    ctl(home, &[profile, &init].concat()).await
}

/// Runs secchatctl with the passphrase as its standard input.
async fn ctl(home: &Home, arguments: &[&str]) -> CtlOutput {
    run(home, "secchatctl", arguments, PASSPHRASE).await
}

async fn run(home: &Home, program: &str, arguments: &[&str], input: &str) -> CtlOutput {
    let mut command = home.command(program);
    command.args(arguments);
    CtlOutput::of(command, Some(format!("{input}\n").into_bytes())).await
}

/// A daemon that is ready and unlocked.
async fn daemon(home: &Home, arguments: &[&str]) -> Process {
    let mut command = home.command("secchatd");
    let (reader, mut writer) = std::io::pipe().unwrap();
    std::io::Write::write_all(&mut writer, format!("{PASSPHRASE}\n").as_bytes()).unwrap();
    command.args(arguments).args(["--passphrase-fd", "0"]).stdin(Stdio::from(reader));
    let daemon = Process::start_ready("the daemon", command, home.path("notify")).await;
    daemon.log().wait_for("the identity key is unlocked").await;
    daemon
}

async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

fn is_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o7777, 0o600, "{}", path.display());
}
