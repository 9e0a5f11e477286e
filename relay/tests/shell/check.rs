//! `check`: what it finds, all at once; and that it finds nothing where nothing is.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::Shell;

/// Exit code 1, and what was said on standard error.
fn errors(shell: &Shell, arguments: &[&str]) -> String {
    let output = shell.relay(&[&["check"][..], arguments].concat());
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
    assert!(!error.contains("panicked"), "{error}");
    error
}

/// Exit code 0; what was said on standard output, and on standard error.
fn fine(shell: &Shell, arguments: &[&str]) -> (String, String) {
    let output = shell.relay(&[&["check"][..], arguments].concat());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {error}");
    (String::from_utf8(output.stdout).unwrap(), error)
}

fn json(shell: &Shell, arguments: &[&str]) -> Value {
    let output = shell.relay(&[&["check", "--json"][..], arguments].concat());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(if report["ok"] == true { 0 } else { 1 }), "{report}");
    assert!(output.stderr.is_empty(), "{output:?}");
    report
}

/// Breaks one thing in a fresh folder; every word must be in what is said, and nothing else may be wrong.
fn finds(break_it: impl FnOnce(&Shell), words: &[&str]) {
    let shell = Shell::with_relay();
    break_it(&shell);
    let error = errors(&shell, &[]);
    for word in words {
        assert!(error.contains(word), "“{word}” is not in: {error}");
    }
    let lines = error.lines().filter(|line| !line.contains("warning: ")).count();
    assert_eq!(lines, 1, "one error only: {error}");
}

fn warns(break_it: impl FnOnce(&Shell), words: &[&str]) {
    let shell = Shell::with_relay();
    break_it(&shell);
    let (_, warnings) = fine(&shell, &[]);
    for word in words {
        assert!(warnings.contains("warning: ") && warnings.contains(word), "“{word}” is not in: {warnings}");
    }
    assert_eq!(warnings.lines().count(), 1, "one warning only: {warnings}");
}

fn without_crl(shell: &Shell) {
    std::fs::remove_file(shell.path("crl.pem")).unwrap();
    shell.write("relay.toml", shell.text("relay.toml").replace("crl =", "# crl ="));
}

fn private(shell: &Shell, file: &str) {
    set_permissions(shell.path(file), Permissions::from_mode(0o600)).unwrap();
}

/// A certificate of relay-key.pem from the CA of the folder, made by OpenSSL.
fn issue(shell: &Shell, key: &str, flags: &str) {
    shell.openssl(&format!("req -new -key {key} -subj /CN=localhost -out r.csr"));
    shell.openssl(&format!(
        "x509 -req -in r.csr -CA ca.pem -CAkey ca-key.pem -set_serial 9 -out relay.pem {flags}"
    ));
}

/// A CRL of the folder's CA, made by OpenSSL.
fn revoke(shell: &Shell, entries: &str, flags: &str) {
    shell.write("index.txt", entries);
    shell.write("ca.cnf", "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_md=default\n");
    shell
        .openssl(&format!("ca -gencrl -config ca.cnf -cert ca.pem -keyfile ca-key.pem -out crl.pem {flags}"));
}

#[test]
fn a_fresh_relay_is_fine() {
    let shell = Shell::with_relay();
    let (said, warnings) = fine(&shell, &[]);
    assert_eq!(warnings, "");
    for line in [
        "relay.toml: no errors\n",
        "user_list: no errors, 0 users\n",
        "relay-key.pem: no errors, Ed25519\n",
        "relay.pem: no errors, for localhost, 127.0.0.1, 82",
        "crl.pem: no errors, number 1, entries 0, ",
        "ca.pem: who trusts it takes the relay's certificate and CRL\n",
    ] {
        assert!(said.contains(line), "{line:?} is not in {said}");
    }
    let report = json(&shell, &["--config", "relay.toml"]);
    assert_eq!(report["errors"], serde_json::json!([]));
    // A day begins with its first second, which may be this one.
    assert!([824, 825].contains(&report["certificate_days_left"].as_i64().unwrap()), "{report}");
    assert!([29, 30].contains(&report["crl_days_left"].as_i64().unwrap()), "{report}");
    assert_eq!(report["users"], 0);
    // Without a configuration, and without the CA: what is there is looked at.
    std::fs::remove_file(shell.path("relay.toml")).unwrap();
    std::fs::remove_file(shell.path("ca.pem")).unwrap();
    let (said, _) = fine(&shell, &[]);
    assert_eq!(said.lines().count(), 4, "{said}");
}

#[test]
fn every_error_of_every_file_is_found_at_once() {
    let shell = Shell::with_relay();
    std::fs::create_dir(shell.path("conf")).unwrap();
    shell.write("conf/relay.toml", "listen = \"localhost\"\nuser_list = \"../users\"\nkey = \"../relay-key.pem\"\ncertificate = \"../crl.pem\"\ncrl = \"../none.pem\"\n");
    shell.write("users", "# ours\nBob\nalice AAAA\ncarol\n");
    set_permissions(shell.path("relay-key.pem"), Permissions::from_mode(0o644)).unwrap();
    let error = errors(&shell, &["--config", "conf/relay.toml"]);
    for place in [
        "conf/relay.toml:1: listen = \"localhost\"",
        "conf/../users:2: \"Bob\" is not a name",
        "conf/../users:3: alice's key",
        "conf/../users:4: carol's key file",
        "conf/../relay-key.pem can be read by others",
        "conf/../crl.pem holds no certificate",
        "conf/../none.pem: ",
    ] {
        assert!(error.contains(place), "{place} is not in {error}");
    }
    assert_eq!(error.lines().count(), 7, "{error}");
    assert_eq!(json(&shell, &["--config", "conf/relay.toml"])["errors"].as_array().unwrap().len(), 7);
    shell.write("conf/relay.toml", "listen = ");
    assert_eq!(errors(&shell, &["--config", "conf/relay.toml"]).lines().count(), 1);
    assert!(errors(&shell, &["--config", "none.toml"]).contains("none.toml: cannot be read"));
}

#[test]
fn errors_of_key_and_certificate_are_found() {
    finds(
        |shell| {
            shell.openssl("genpkey -algorithm ed25519 -out relay-key.pem");
            private(shell, "relay-key.pem");
        },
        &["relay.pem is not the certificate of "],
    );
    finds(
        |shell| {
            shell.openssl("pkey -in relay-key.pem -aes256 -passout pass:aaa -out locked.pem");
            private(shell, "locked.pem");
            std::fs::rename(shell.path("locked.pem"), shell.path("relay-key.pem")).unwrap();
        },
        &["relay-key.pem is encrypted"],
    );
    finds(|shell| issue(shell, "relay-key.pem", "-days -1"), &["relay.pem has ended on ", "cert renew"]);
    finds(
        |shell| {
            shell.write("ext", "subjectAltName=DNS:*.example\n");
            issue(shell, "relay-key.pem", "-days 90 -extfile ext");
        },
        &["relay.pem is for no name", "subjectAltName", "cert renew --name"],
    );
    finds(
        |shell| {
            shell.write("ext", "subjectAltName=DNS:localhost\nextendedKeyUsage=clientAuth\n");
            issue(shell, "relay-key.pem", "-days 90 -extfile ext");
        },
        &["relay.pem is not for a server"],
    );
    let shell = Shell::with_relay();
    shell.openssl("genrsa -out relay-key.pem 1024");
    private(&shell, "relay-key.pem");
    issue(&shell, "relay-key.pem", "-days 90");
    let error = errors(&shell, &[]);
    assert!(error.contains("relay-key.pem: this kind or size of key is not permitted"), "{error}");
    assert!(error.contains("relay.pem: clients refuse the kind or size of its key"), "{error}");
}

#[test]
fn errors_of_the_crl_are_found() {
    finds(
        |shell| {
            std::fs::create_dir(shell.path("o")).unwrap();
            assert!(shell.relay(&["init", "--dir", "o"]).status.success());
            // Of the same name, and another key.
            std::fs::copy(shell.path("o/crl.pem"), shell.path("crl.pem")).unwrap();
        },
        &["crl.pem was not signed by the CA in ca.pem"],
    );
    finds(
        |shell| {
            shell.openssl("req -x509 -newkey rsa:2048 -nodes -keyout o.key -out o.pem -subj /CN=o");
            shell.write("index.txt", "");
            shell.write("ca.cnf", "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_md=sha256\n");
            shell.openssl("ca -gencrl -config ca.cnf -cert o.pem -keyfile o.key -out crl.pem -crldays 9");
            std::fs::remove_file(shell.path("ca.pem")).unwrap();
        },
        &["crl.pem is another CA's list than that of relay.pem"],
    );
    finds(
        |shell| revoke(shell, "", "-crl_lastupdate 260101000000Z -crl_nextupdate 260102000000Z"),
        &["crl.pem has ended on 2026-01-02", "crl refresh"],
    );
    finds(
        |shell| revoke(shell, "", "-crl_lastupdate 480101000000Z -crl_nextupdate 480102000000Z"),
        &["crl.pem is not valid until 2048-01-01", "clock"],
    );
    finds(
        |shell| {
            assert!(
                shell.relay(&["cert", "revoke", "--certificate", "relay.pem", "--force"]).status.success()
            )
        },
        &["crl.pem revokes relay.pem", "--new-key"],
    );
    finds(
        |shell| {
            let entries = (0x1000..0x1400)
                .map(|serial| format!("R\t301231000000Z\t260101000000Z\t{serial:X}\tunknown\t/CN=x\n"));
            revoke(shell, &entries.collect::<String>(), "-crldays 20");
        },
        &["bytes together, and a login has room for", "crl.pem"],
    );
}

#[test]
fn what_only_a_client_would_find_is_found() {
    finds(
        |shell| {
            shell.openssl("genpkey -algorithm ed25519 -out o.key");
            shell.openssl("req -x509 -key o.key -out ca.pem -subj /CN=o -days 9");
            without_crl(shell);
        },
        &["relay.pem was not signed by the CA in ca.pem"],
    );
    // A CA that may not sign certificates.
    finds(
        |shell| {
            let flags = "-subj /CN=relay -days 99 -addext basicConstraints=critical,CA:FALSE -addext keyUsage=cRLSign";
            shell.openssl(&format!("req -x509 -key ca-key.pem -out ca.pem {flags}"));
            shell.write("ext", "subjectAltName=DNS:localhost\n");
            issue(shell, "relay-key.pem", "-days 90 -extfile ext");
            revoke(shell, "", "-crldays 20");
        },
        &["ca.pem: who trusts it refuses the relay: "],
    );
    let shell = Shell::with_relay();
    assert!(errors(&shell, &["--ca", "none.pem"]).contains("none.pem: "));
    assert!(errors(&shell, &["--ca", "user_list"]).contains("user_list holds no CA's certificate"));
}

#[test]
fn what_is_not_wise_is_told_and_no_error() {
    warns(without_crl, &["there is no CRL"]);
    let key =
        |shell: &Shell| shell.openssl("pkey -in relay-key.pem -pubout").lines().nth(1).unwrap().to_owned();
    warns(
        |shell| shell.write("user_list", format!("zoe {0}\nalice {0}\n", key(shell))),
        &["user_list: alice and zoe have the same key"],
    );
    warns(
        |shell| set_permissions(shell.path("user_list"), Permissions::from_mode(0o664)).unwrap(),
        &["user_list can be written by others (mode 0664)", "chmod go-w"],
    );
}

#[test]
fn what_ends_soon_is_told() {
    let shell = Shell::with_relay();
    shell.write("ext", "subjectAltName=DNS:localhost\n");
    issue(&shell, "relay-key.pem", "-days 6 -extfile ext");
    let (_, warnings) = fine(&shell, &[]);
    assert_eq!(warnings, "", "a certificate for six days is none that ends soon");
    for (days, is_told) in [(40, false), (29, true), (6, true)] {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let next = secchat_relay::dates::day(now + days * 86_400).replace('-', "");
        revoke(&shell, "", &format!("-crl_lastupdate 260101000000Z -crl_nextupdate {next}235959Z"));
        let (said, warnings) = fine(&shell, &[]);
        assert!(said.contains(&format!("{days} days left")), "{said}");
        let told = warnings.contains(&format!("warning: crl.pem: the CRL ends in {} days, on ", days + 1));
        assert_eq!(told, is_told, "{warnings}");
        assert_eq!(json(&shell, &[])["warnings"].as_array().unwrap().len(), usize::from(is_told));
    }
}
