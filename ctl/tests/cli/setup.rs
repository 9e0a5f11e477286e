//! `init` and `keygen`, with a stand-in for the secchatd that they run.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use crate::home::{Home, Run, ended};

const KEY: &str = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";

/// A home with a relay's CA and CRL, and a secchatctl beside a secchatd that is a script.
struct Setup {
    home: Home,
    program: PathBuf,
}

impl Setup {
    fn new() -> Self {
        let home = Home::new();
        let program = home.path("secchatctl");
        if std::fs::hard_link(env!("CARGO_BIN_EXE_secchatctl"), &program).is_err() {
            std::fs::copy(env!("CARGO_BIN_EXE_secchatctl"), &program).unwrap();
        }
        let setup = Self { home, program };
        setup.write("ca.crt", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n");
        setup.write("ca.crl", "-----BEGIN X509 CRL-----\nx\n-----END X509 CRL-----\n");
        setup.stand_in(&format!(
            r#"echo "$@" >>"{0}"
             [ "$1" = keygen ] && {{ umask 077; echo "KEY" >"$3"; cat >>"{0}"; }}
             echo {KEY}"#,
            setup.home.path("asked").display()
        ));
        setup
    }

    fn stand_in(&self, script: &str) {
        let path = self.home.path("secchatd");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    }

    fn write(&self, name: &str, contents: &str) {
        std::fs::write(self.home.path(name), contents).unwrap();
    }

    async fn run(&self, arguments: &[&str]) -> Run {
        ended(self.home.command_of(&self.program, arguments).spawn().unwrap()).await
    }

    fn config(&self, name: &str) -> PathBuf {
        self.home.path("config/secchat").join(name)
    }

    fn asked(&self) -> String {
        std::fs::read_to_string(self.home.path("asked")).unwrap_or_default()
    }

    /// Nothing at all was made.
    fn is_untouched(&self) {
        assert!(!self.home.path("config").exists(), "something is left behind");
    }
}

const INIT: [&str; 9] =
    ["init", "--name", "alice", "--relay", "relay.example:4433", "--ca", "ca.crt", "--crl", "ca.crl"];

#[tokio::test]
async fn init_makes_a_profile_and_prints_the_line_for_the_user_list() {
    let setup = Setup::new();
    let run = setup.run(&[&INIT[..], &["--no-passphrase"]].concat()).await.ok();
    assert_eq!(run.stdout, format!("alice {KEY}\n"));
    assert!(run.stderr.contains("secchat-relay user add alice"), "{run:?}");
    let config = std::fs::read_to_string(setup.config("config.toml")).unwrap();
    for line in [
        "user = \"alice\"",
        "relay = \"relay.example:4433\"",
        "key = \"identity.pem\"",
        "ca = \"ca.pem\"",
        "crl = \"crl.pem\"",
        "available = true",
    ] {
        assert!(config.lines().any(|found| found == line), "{line} in {config}");
    }
    assert!(std::fs::read_to_string(setup.config("ca.pem")).unwrap().contains("BEGIN CERTIFICATE"));
    for name in ["config.toml", "identity.pem", "ca.pem", "crl.pem"] {
        let mode = std::fs::metadata(setup.config(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let folder = std::fs::read_dir(setup.config("")).unwrap();
    assert_eq!(folder.count(), 4, "nothing else is left");

    // Never again over it.
    let run = setup.run(&[&INIT[..], &["--no-passphrase"]].concat()).await.with_code(1);
    run.complains("set up already");
    assert_eq!(std::fs::read_to_string(setup.config("config.toml")).unwrap(), config);
}

#[tokio::test]
async fn init_gives_programs_an_object_and_profiles_a_place() {
    let setup = Setup::new();
    let arguments = ["--json", "--profile", "work", "--no-passphrase", "--hidden", "--kind", "rsa3072"];
    let run = setup.run(&[&INIT[..], &arguments].concat()).await.ok();
    let value = run.json();
    assert_eq!(value["user_list_line"], format!("alice {KEY}"));
    assert_eq!(run.stderr, "");
    let config = std::fs::read_to_string(setup.config("profiles/work/config.toml")).unwrap();
    assert!(config.contains("available = false"));
    assert!(setup.asked().contains("--kind rsa3072 --no-passphrase"), "{}", setup.asked());
}

#[tokio::test]
async fn the_passphrase_goes_through_a_pipe_alone() {
    let setup = Setup::new();
    let mut command = setup.home.command_of(&setup.program, &[&INIT[..], &["--passphrase-fd", "0"]].concat());
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stdin, b"open sesame\n").await.unwrap();
    drop(stdin);
    let run = ended(child).await.ok();
    assert!(!run.stderr.contains("sesame") && !run.stdout.contains("sesame"));
    let asked = setup.asked();
    let (arguments, input) = asked.split_once('\n').unwrap();
    assert!(arguments.contains("--passphrase-fd 0") && !arguments.contains("sesame"), "{asked}");
    assert_eq!(input, "open sesame\n");
}

#[tokio::test]
async fn an_existing_key_is_used_where_it_is() {
    let setup = Setup::new();
    setup.write("my.pem", "-----BEGIN PRIVATE KEY-----\nx\n");
    setup.run(&[&INIT[..], &["--key", "my.pem"]].concat()).await.ok();
    let config = std::fs::read_to_string(setup.config("config.toml")).unwrap();
    let path = setup.home.path("my.pem").canonicalize().unwrap();
    assert!(config.contains(&format!("key = \"{}\"", path.display())), "{config}");
    assert!(!setup.config("identity.pem").exists());
    assert!(setup.asked().starts_with("pubkey --key "), "{}", setup.asked());

    let setup = Setup::new();
    setup.write("my.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nx\n");
    let run = setup.run(&[&INIT[..], &["--key", "my.pem"]].concat()).await.with_code(2);
    run.complains("--passphrase-fd");
    setup.is_untouched();
}

#[tokio::test]
async fn a_failure_leaves_nothing_half_made() {
    let setup = Setup::new();
    let with = |from: &str, to: &str| -> Vec<String> {
        let words = INIT.iter().map(|word| if *word == from { to } else { word });
        words.chain(["--no-passphrase"]).map(str::to_owned).collect()
    };
    for (from, to, code, said) in [
        ("alice", "Alice", 2, "a name is"),
        ("relay.example:4433", "relay.example", 2, "HOST:PORT"),
        ("ca.crt", "missing.crt", 1, "missing.crt"),
        ("ca.crt", "ca.crl", 2, "no certificate"),
        ("ca.crl", "ca.crt", 2, "no revocation list"),
    ] {
        let arguments = with(from, to);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        setup.run(&arguments).await.with_code(code).complains(said);
        setup.is_untouched();
    }
    for missing in [&INIT[..1], &INIT[..3], &INIT[..5]] {
        setup.run(missing).await.with_code(2).complains("is missing");
        setup.is_untouched();
    }
    setup.run(&INIT).await.with_code(2).complains("--no-passphrase");
    setup.is_untouched();

    setup.stand_in("echo 'secchatd: no entropy today' >&2; exit 1");
    let run = setup.run(&[&INIT[..], &["--no-passphrase"]].concat()).await.with_code(1);
    run.complains("error: no entropy today");
    setup.is_untouched();
}

#[tokio::test]
async fn keygen_prints_the_public_key_and_never_overwrites() {
    let setup = Setup::new();
    let run = setup.run(&["keygen", "--no-passphrase"]).await.ok();
    assert_eq!(run.stdout, format!("{KEY}\n"));
    assert!(setup.config("identity.pem").exists());
    setup.run(&["keygen", "--no-passphrase"]).await.with_code(1).complains("not overwritten");
    let run = setup.run(&["--json", "keygen", "--out", "other.pem", "--no-passphrase"]).await.ok();
    assert_eq!(run.json()["public_key"], KEY);
    setup.run(&["keygen", "--out", "other.pem", "--no-passphrase"]).await.with_code(1);
    // A key that is there already is not made anew by init either.
    let run = setup.run(&[&INIT[..], &["--no-passphrase"]].concat()).await.with_code(1);
    run.complains("--key");
}
