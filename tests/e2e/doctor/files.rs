//! Files and variables that are wrong.

use secchat_e2e::{Ca, CrlSpec, CtlOutput, Pki, TestUser};

use super::{DAY, is_found, mode, one, without_relay};

/// What is wrong, how it is made, and what doctor must say: check, verdict, part of the sentence, start of the command.
type Illness = (&'static str, fn(&TestUser, &Pki), [&'static str; 4]);

const OF_FILES: [Illness; 14] = [
    (
        "an unknown key",
        |alice, _| append(alice, "relais = 1"),
        ["configuration", "failed", "relais", "${EDITOR:-vi} +6 "],
    ),
    (
        "no relay",
        |alice, _| alice.home.write_config("user = \"alice\""),
        ["configuration", "failed", "`relay` is not set", "${EDITOR:-vi} +1 "],
    ),
    (
        "no user",
        |alice, _| alice.home.write_config(""),
        ["configuration", "failed", "not set up", "secchatctl init"],
    ),
    (
        "an open folder",
        |alice, _| mode(&alice.home.config_dir(), 0o755),
        ["configuration folder", "failed", "0755", "chmod 700 "],
    ),
    (
        "an open state folder",
        |alice, _| mode(&alice.home.state_dir(), 0o750),
        ["state folder", "failed", "0750", "chmod 700 "],
    ),
    (
        "an open socket folder",
        |alice, _| mode(&alice.home.runtime_dir(), 0o711),
        ["socket folder", "failed", "0711", "chmod 700 "],
    ),
    (
        "an open key",
        |alice, _| mode(&file(alice, "identity.pem"), 0o644),
        ["key", "failed", "0644", "chmod 600 "],
    ),
    (
        "no key",
        |alice, _| std::fs::remove_file(file(alice, "identity.pem")).unwrap(),
        ["key", "failed", "no identity key", "secchatctl keygen --out "],
    ),
    (
        "no key in the file",
        |alice, _| write(alice, "identity.pem", b"nonsense"),
        ["key", "failed", "cannot be used", "mv "],
    ),
    (
        "no CA",
        |alice, _| std::fs::remove_file(file(alice, "ca.pem")).unwrap(),
        ["ca", "failed", "cannot read the CA certificate", "install -m 644 NEW-CA.pem "],
    ),
    (
        "no CA in the file",
        |alice, _| write(alice, "ca.pem", b"nonsense"),
        ["ca", "failed", "no certificate", "install -m 644 NEW-CA.pem "],
    ),
    (
        "a CA that ended",
        |alice, _| ca(alice, -9 * DAY, -2 * DAY),
        ["ca", "failed", "ended on", "install -m 644 NEW-CA.pem "],
    ),
    (
        "a CA that ends soon",
        |alice, _| ca(alice, -9 * DAY, 9 * DAY),
        ["ca", "warning", "ends on", "install -m 644 NEW-CA.pem "],
    ),
    (
        "a CA of tomorrow",
        |alice, _| ca(alice, 2 * DAY, 9 * DAY),
        ["clock", "failed", "is not yet", "sudo timedatectl"],
    ),
];

const OF_LISTS: [Illness; 5] = [
    (
        "a list that is none",
        |alice, _| write(alice, "crl.pem", b"nonsense"),
        ["crl", "failed", "no revocation list", "install -m 644 NEW-CRL.pem "],
    ),
    (
        "a foreign list",
        |alice, _| write(alice, "crl.pem", &Ca::new("Other").crl(&CrlSpec::default())),
        ["crl", "failed", "not from this CA", "install -m 644 NEW-CRL.pem "],
    ),
    (
        "a list that ended",
        |alice, pki| crl(alice, pki, -9 * DAY, Some(-2 * DAY)),
        ["crl", "warning", "ended on", "install -m 644 NEW-CRL.pem "],
    ),
    (
        "a list without end",
        |alice, pki| crl(alice, pki, -DAY, None),
        ["crl", "warning", "has no end", "install -m 644 NEW-CRL.pem "],
    ),
    (
        "a list of tomorrow",
        |alice, pki| crl(alice, pki, 2 * DAY, Some(9 * DAY)),
        ["clock", "failed", "is not yet", "sudo timedatectl"],
    ),
];

#[tokio::test]
async fn bad_files_are_found() {
    for (what, spoil, expected) in OF_FILES {
        let (pki, alice) = without_relay();
        spoil(&alice, &pki);
        is_found(&alice.home, what, expected).await;
    }
    for (what, spoil, expected) in OF_LISTS {
        let (pki, alice) = without_relay();
        append(&alice, "crl = \"crl.pem\"");
        spoil(&alice, &pki);
        is_found(&alice.home, what, expected).await;
    }
}

#[tokio::test]
async fn bad_variables_are_found() {
    let (_pki, alice) = without_relay();
    for (name, value) in [("SECCHAT_AVAILABLE", "perhaps"), ("SECCHAT_CONFIG", "/nowhere/config.toml")] {
        let mut command = alice.home.command("secchatctl");
        command.args(["--json", "doctor"]).env(name, value);
        let found = CtlOutput::of(command, None).await.with_code(1);
        assert_eq!(one(&found, "configuration")["mend"], format!("unset {name}"), "{found:#?}");
    }
}

fn file(alice: &TestUser, name: &str) -> std::path::PathBuf {
    alice.home.config_dir().join(name)
}

fn write(alice: &TestUser, name: &str, bytes: &[u8]) {
    std::fs::write(file(alice, name), bytes).unwrap();
}

fn append(alice: &TestUser, line: &str) {
    let config = std::fs::read_to_string(file(alice, "config.toml")).unwrap();
    alice.home.write_config(&format!("{config}{line}\n"));
}

fn ca(alice: &TestUser, from: i64, until: i64) {
    write(alice, "ca.pem", &Ca::valid("Test CA", from, until).pem());
}

fn crl(alice: &TestUser, pki: &Pki, this_update: i64, next_update: Option<i64>) {
    write(alice, "crl.pem", &pki.ca.crl(&CrlSpec { this_update, next_update, revoked: Vec::new() }));
}
