//! `cert renew`, `cert revoke`, `crl refresh`: what they make is judged by OpenSSL's command line.

use std::collections::BTreeMap;
use std::fs::{File, Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;

use crate::{Shell, mode};

/// All files of the folder: mode and content.
fn snapshot(shell: &Shell) -> BTreeMap<String, (u32, Vec<u8>)> {
    let entries = std::fs::read_dir(shell.path("")).unwrap().map(Result::unwrap);
    let files = entries.filter(|entry| entry.path().is_file());
    files
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, (mode(&entry.path()), std::fs::read(entry.path()).unwrap()))
        })
        .collect()
}

/// Runs a command that must succeed; gives what it prints.
fn done(shell: &Shell, arguments: &[&str]) -> String {
    let output = shell.relay(arguments);
    assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command that must fail, and change nothing.
fn refused(shell: &Shell, arguments: &[&str], words: &[&str]) {
    let before = snapshot(shell);
    let error = shell.fails(arguments);
    for word in words {
        assert!(error.contains(word), "“{word}” is not in: {error}");
    }
    assert!(snapshot(shell) == before, "{arguments:?} changed files");
}

fn serial(shell: &Shell, certificate: &str) -> String {
    let line = shell.openssl(&format!("x509 -in {certificate} -noout -serial"));
    line.trim().strip_prefix("serial=").unwrap().to_owned()
}

fn public_key(shell: &Shell, certificate: &str) -> String {
    shell.openssl(&format!("x509 -in {certificate} -noout -pubkey"))
}

/// Whether OpenSSL takes a certificate for a server of this name; else why not.
fn verify(shell: &Shell, certificate: &str, host: &str) -> Result<(), String> {
    let arguments = [
        "verify",
        "-x509_strict",
        "-purpose",
        "sslserver",
        "-CAfile",
        "ca.pem",
        "-crl_check",
        "-CRLfile",
        "crl.pem",
    ];
    let mut command = std::process::Command::new("openssl");
    command.args(arguments).args(["-verify_hostname", host, certificate]).current_dir(shell.path(""));
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

#[test]
fn a_renewed_certificate_has_the_names_and_the_key_of_the_old() {
    let shell = Shell::new();
    done(&shell, &["init", "--name", "relay.example", "--name", "192.0.2.7", "--name", "2001:db8::7"]);
    set_permissions(shell.path("relay.pem"), Permissions::from_mode(0o640)).unwrap();
    let (old, key) = (shell.text("relay.pem"), shell.text("relay-key.pem"));
    let said = done(&shell, &["cert", "renew", "--days", "100"]);
    for word in
        ["relay.example, 192.0.2.7, 2001:db8::7", "good for 100 days", "relay.pem.old", "running relay"]
    {
        assert!(said.contains(word), "{word} is not in {said}");
    }
    verify(&shell, "relay.pem", "relay.example").unwrap();
    assert_eq!((shell.text("relay.pem.old"), shell.text("relay-key.pem")), (old, key));
    assert!(said.contains(&serial(&shell, "relay.pem.old")));
    assert_ne!(serial(&shell, "relay.pem"), serial(&shell, "relay.pem.old"));
    assert_eq!(public_key(&shell, "relay.pem"), public_key(&shell, "relay.pem.old"));
    assert_eq!(mode(&shell.path("relay.pem")), 0o640);
    let names = |file| {
        shell.openssl(&format!("x509 -in {file} -noout -subject -ext subjectAltName,extendedKeyUsage"))
    };
    assert_eq!(names("relay.pem"), names("relay.pem.old"));
    // Good since before now, until a hundred days from now.
    shell.openssl("x509 -in relay.pem -noout -checkend 8553600");
    let ends = std::process::Command::new("openssl")
        .args(["x509", "-in", "relay.pem", "-noout", "-checkend", "8726400"])
        .current_dir(shell.path(""))
        .output()
        .unwrap();
    assert!(!ends.status.success());

    let said = done(&shell, &["cert", "renew", "--name", "other.example", "--config", "relay.toml"]);
    assert!(said.contains("for other.example, good for 825 days"), "{said}");
    verify(&shell, "relay.pem", "other.example").unwrap();
    assert!(verify(&shell, "relay.pem", "relay.example").unwrap_err().contains("hostname mismatch"));
}

#[test]
fn a_new_key_comes_with_its_certificate() {
    let shell = Shell::with_relay();
    std::fs::create_dir(shell.path("keys")).unwrap();
    std::fs::rename(shell.path("relay-key.pem"), shell.path("keys/k.pem")).unwrap();
    std::os::unix::fs::symlink("keys/k.pem", shell.path("relay-key.pem")).unwrap();
    let said = done(&shell, &["cert", "renew", "--new-key"]);
    assert!(said.contains("cert revoke --certificate relay.pem.old"), "{said}");
    assert_ne!(public_key(&shell, "relay.pem"), public_key(&shell, "relay.pem.old"));
    assert_eq!(public_key(&shell, "relay.pem"), shell.openssl("pkey -in keys/k.pem -pubout"));
    assert!(shell.path("relay-key.pem").is_symlink());
    assert_eq!(mode(&shell.path("keys/k.pem")), 0o600);
    verify(&shell, "relay.pem", "localhost").unwrap();
    assert!(!snapshot(&shell).contains_key("relay-key.pem.old"), "a key that has been replaced is gone");
    for folder in ["", "keys"] {
        let names = std::fs::read_dir(shell.path(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        assert!(
            !names.into_iter().any(|name| name.to_string_lossy().starts_with(".tmp")),
            "nothing is left behind"
        );
    }
}

#[test]
fn a_certificate_of_another_key_is_mended() {
    let shell = Shell::with_relay();
    shell.openssl("genpkey -algorithm ed25519 -out relay-key.pem");
    set_permissions(shell.path("relay-key.pem"), Permissions::from_mode(0o600)).unwrap();
    let said = done(&shell, &["cert", "renew"]);
    assert!(said.contains("was not the certificate of relay-key.pem"), "{said}");
    assert_eq!(public_key(&shell, "relay.pem"), shell.openssl("pkey -in relay-key.pem -pubout"));
}

#[test]
fn the_cas_key_may_be_elsewhere_and_encrypted() {
    let shell = Shell::with_relay();
    std::fs::create_dir(shell.path("vault")).unwrap();
    shell.openssl("pkey -in ca-key.pem -aes256 -passout pass:sesame -out vault/ca.key");
    set_permissions(shell.path("vault/ca.key"), Permissions::from_mode(0o600)).unwrap();
    std::fs::remove_file(shell.path("ca-key.pem")).unwrap();
    refused(&shell, &["cert", "renew"], &["ca-key.pem: ", "--ca-key", "run this there"]);
    // No terminal, no descriptor.
    refused(&shell, &["cert", "renew", "--ca-key", "vault/ca.key"], &["--passphrase-fd FD"]);
    refused(
        &shell,
        &["cert", "renew", "--ca-key", "vault/ca.key", "--passphrase-fd", "77"],
        &["--passphrase-fd 77"],
    );

    let with = |passphrase: &str, arguments: &[&str]| {
        shell.write("vault/p", passphrase);
        let mut command = shell.command(arguments);
        command.args(["--ca-key", "vault/ca.key", "--passphrase-fd", "0"]);
        command.stdin(File::open(shell.path("vault/p")).unwrap()).output().unwrap()
    };
    let before = snapshot(&shell);
    for arguments in [&["cert", "renew"][..], &["cert", "revoke", "--serial", "7"], &["crl", "refresh"]] {
        let output = with("open\n", arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && error.contains("passphrase does not open vault/ca.key"),
            "{error}"
        );
    }
    assert!(snapshot(&shell) == before);
    for arguments in [&["cert", "renew"][..], &["cert", "revoke", "--serial", "7"], &["crl", "refresh"]] {
        let output = with("sesame\n", arguments);
        assert!(output.status.success(), "{output:?}");
    }
    verify(&shell, "relay.pem", "localhost").unwrap();
}

#[test]
fn where_the_ca_is_the_relays_key_need_not_be() {
    let shell = Shell::with_relay();
    let key = public_key(&shell, "relay.pem");
    for file in ["relay-key.pem", "relay.toml", "user_list"] {
        std::fs::remove_file(shell.path(file)).unwrap();
    }
    done(&shell, &["cert", "renew"]);
    done(&shell, &["crl", "refresh"]);
    assert_eq!(public_key(&shell, "relay.pem"), key);
    verify(&shell, "relay.pem", "localhost").unwrap();
}

#[test]
fn a_ca_that_openssl_made_is_served() {
    let shell = Shell::new();
    shell.openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca-key.pem -out ca.pem -subj /CN=CA -days 30 -addext keyUsage=critical,keyCertSign,cRLSign");
    shell.openssl("req -newkey rsa:2048 -nodes -keyout relay-key.pem -out relay.csr -subj /CN=relay.example");
    shell.openssl(
        "x509 -req -in relay.csr -CA ca.pem -CAkey ca-key.pem -set_serial 0x1234 -out relay.pem -days 3",
    );
    for key in ["ca-key.pem", "relay-key.pem"] {
        set_permissions(shell.path(key), Permissions::from_mode(0o600)).unwrap();
    }
    refused(&shell, &["crl", "refresh"], &["crl.pem: ", "crl refresh --new"]);
    done(&shell, &["crl", "refresh", "--new"]);
    // Its common name becomes the SAN; it lives no longer than its CA.
    let said = done(&shell, &["cert", "renew"]);
    assert!(said.contains("for relay.example, good for 30 days") || said.contains("29 days"), "{said}");
    refused(&shell, &["cert", "renew", "--days", "31"], &["ca.pem ends on ", "ask for --days "]);
    verify(&shell, "relay.pem", "relay.example").unwrap();
    done(&shell, &["cert", "revoke", "--certificate", "relay.pem.old"]);
    assert!(shell.openssl("crl -in crl.pem -noout -text").contains("Serial Number: 1234\n"));
    verify(&shell, "relay.pem", "relay.example").unwrap();
    assert!(verify(&shell, "relay.pem.old", "relay.example").unwrap_err().contains("revoked"));
}

#[test]
fn what_cannot_be_renewed_is_told_and_left() {
    let shell = Shell::with_relay();
    shell.openssl("genpkey -algorithm ed25519 -out other.key");
    shell.openssl("req -x509 -key other.key -out other.pem -subj /CN=other -days 9");
    shell.openssl(
        "req -x509 -key other.key -out leaf.pem -subj /CN=leaf -days 9 -addext basicConstraints=CA:FALSE",
    );
    shell.openssl("genrsa -out small.key 1024");
    for key in ["other.key", "small.key"] {
        set_permissions(shell.path(key), Permissions::from_mode(0o600)).unwrap();
    }
    let other = ["--ca", "other.pem", "--ca-key", "other.key"];
    let renew =
        |flags: &[&str], words: &[&str]| refused(&shell, &[&["cert", "renew"][..], flags].concat(), words);
    renew(&["--ca", "other.pem"], &["ca-key.pem is not the key of other.pem", "--ca-key"]);
    renew(&["--ca", "nothing.pem"], &["nothing.pem: ", "--ca"]);
    renew(&["--ca", "user_list"], &["user_list holds no CA's certificate"]);
    renew(&["--ca-key", "user_list"], &["user_list can be read by others"]);
    renew(
        &["--ca", "leaf.pem", "--ca-key", "other.key"],
        &["clients would refuse", "leaf.pem must be a CA's"],
    );
    renew(&["--key", "small.key"], &["clients would refuse", "--new-key"]);
    renew(&["--name", "*.example"], &["\"*.example\" is neither a host name"]);
    renew(&["--days", "4000"], &["ca.pem ends on ", "at most"]);
    renew(&["--certificate", "none.pem"], &["none.pem: ", "--certificate"]);
    renew(&["--certificate", "crl.pem"], &["crl.pem holds no relay's certificate"]);
    shell.openssl("req -x509 -key other.key -out nobody.pem -subj /O=nobody -days 9");
    renew(&["--certificate", "nobody.pem"], &["nobody.pem is for no name", "--name HOST"]);
    set_permissions(shell.path("relay-key.pem"), Permissions::from_mode(0o644)).unwrap();
    renew(&[], &["relay-key.pem can be read by others", "chmod 600"]);
    set_permissions(shell.path("relay-key.pem"), Permissions::from_mode(0o600)).unwrap();
    set_permissions(shell.path("ca-key.pem"), Permissions::from_mode(0o640)).unwrap();
    renew(&[], &["ca-key.pem can be read by others (mode 0640)", "chmod 600"]);
    set_permissions(shell.path("ca-key.pem"), Permissions::from_mode(0o600)).unwrap();

    let crl = |arguments: &[&str], words: &[&str]| refused(&shell, arguments, words);
    crl(&["cert", "revoke", "--certificate", "other.pem"], &["other.pem was not signed by ca.pem"]);
    crl(&["cert", "revoke", "--serial", "xyz"], &["\"xyz\" is no serial number", "openssl x509"]);
    crl(&[&["crl", "refresh"][..], &other].concat(), &["crl.pem is not a list of other.pem"]);
    // Of the same name, and another key.
    done(&shell, &["init", "--dir", "o"]);
    let namesake = ["--ca", "o/ca.pem", "--ca-key", "o/ca-key.pem"];
    crl(&[&["crl", "refresh"][..], &namesake].concat(), &["crl.pem is not a list of o/ca.pem"]);
    crl(
        &[&["cert", "revoke", "--serial", "7"][..], &namesake].concat(),
        &["crl.pem is not a list of o/ca.pem"],
    );
    crl(&["cert", "revoke", "--certificate", "o/relay.pem"], &["o/relay.pem was not signed by ca.pem"]);
    crl(&["crl", "refresh", "--crl", "relay.pem"], &["relay.pem holds no certificate revocation list"]);
    crl(&["crl", "refresh", "--new"], &["crl.pem is there already"]);
    crl(&["cert", "revoke", "--certificate", "relay.pem"], &["certificate in force", "--new-key", "--force"]);
    for usage in
        [&["cert", "revoke"][..], &["cert", "renew", "--days", "0"], &["crl", "refresh", "--days", "x"]]
    {
        assert_eq!(shell.relay(usage).status.code(), Some(2), "{usage:?}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_keeps_key_and_certificate() {
    if rustix::process::geteuid().is_root() {
        println!("root may write everywhere: not tested");
        return;
    }
    let shell = Shell::with_relay();
    set_permissions(shell.path(""), Permissions::from_mode(0o500)).unwrap();
    refused(&shell, &["cert", "renew", "--new-key"], &["a new file cannot be made"]);
    refused(&shell, &["crl", "refresh"], &["crl.pem: ", "a new file cannot be made"]);
    set_permissions(shell.path(""), Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_certificate_that_cannot_be_put_in_place_takes_its_key_back() {
    let shell = Shell::with_relay();
    let (key, certificate) = (shell.text("relay-key.pem"), shell.text("relay.pem"));
    let relay = shell.command(&["cert", "renew", "--new-key"]);
    // A mount point cannot be renamed over; everything before that works.
    let mut command = std::process::Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
    command.arg("mount --bind relay.pem relay.pem || exit 42; exec \"$@\"").arg("sh");
    command.arg(relay.get_program()).args(relay.get_args()).current_dir(shell.path(""));
    let output = command.output().expect("unshare: `dist/install-needs --test` installs it");
    let error = String::from_utf8(output.stderr).unwrap();
    if output.status.code() == Some(42) || error.starts_with("unshare: ") {
        println!("no mounts are permitted here: not tested: {error}");
        return;
    }
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(
        error.contains("relay.pem: it is mounted by itself") && error.contains("mount its folder"),
        "{error}"
    );
    assert_eq!((shell.text("relay-key.pem"), shell.text("relay.pem")), (key, certificate));
    verify(&shell, "relay.pem", "localhost").unwrap();
    assert_eq!(public_key(&shell, "relay.pem"), shell.openssl("pkey -in relay-key.pem -pubout"));
}

#[test]
fn what_cannot_be_written_is_found_before_anything_changes() {
    let shell = Shell::with_relay();
    std::fs::create_dir(shell.path("relay.pem.old")).unwrap();
    refused(&shell, &["cert", "renew", "--new-key"], &["relay.pem.old: is not a file"]);
}

#[test]
fn revoked_certificates_are_on_the_next_list() {
    let shell = Shell::with_relay();
    done(&shell, &["cert", "renew", "--new-key"]);
    verify(&shell, "relay.pem.old", "localhost").unwrap();
    let first = shell.openssl("crl -in crl.pem -noout -lastupdate");
    let said = done(&shell, &["cert", "revoke", "--certificate", "relay.pem.old", "--days", "60"]);
    let number = serial(&shell, "relay.pem.old");
    assert!(said.contains(&format!("Serial {number} is revoked")) && said.contains("is number 2"), "{said}");
    assert!(verify(&shell, "relay.pem.old", "localhost").unwrap_err().contains("certificate revoked"));
    verify(&shell, "relay.pem", "localhost").unwrap();
    let text = shell.openssl("crl -in crl.pem -noout -text -CAfile ca.pem");
    assert!(text.contains(&format!("Serial Number: {number}\n")), "{text}");
    assert_eq!(
        text.split("X509v3 CRL Number:").nth(1).unwrap().trim_start().lines().next(),
        Some("2"),
        "{text}"
    );
    assert_ne!(shell.openssl("crl -in crl.pem -noout -lastupdate"), first, "clients take only what is newer");

    let before = snapshot(&shell);
    let said = done(&shell, &["cert", "revoke", "--serial", &number.to_lowercase()]);
    assert!(said.contains("has been revoked since") && snapshot(&shell) == before, "{said}");
    done(&shell, &["crl", "refresh"]);
    done(&shell, &["cert", "revoke", "--serial", "0x01:ab", "--config", "relay.toml"]);
    let text = shell.openssl("crl -in crl.pem -noout -text");
    assert_eq!(
        text.split("X509v3 CRL Number:").nth(1).unwrap().trim_start().lines().next(),
        Some("4"),
        "{text}"
    );
    assert!(text.contains(&number) && text.contains("Serial Number: 01AB\n"), "{text}");
    assert!(verify(&shell, "relay.pem.old", "localhost").unwrap_err().contains("certificate revoked"));

    done(&shell, &["cert", "revoke", "--certificate", "relay.pem", "--force"]);
    assert!(verify(&shell, "relay.pem", "localhost").unwrap_err().contains("certificate revoked"));
}

#[test]
fn entries_of_a_list_that_openssl_made_keep_their_reasons() {
    let shell = Shell::with_relay();
    shell.write("index.txt", "R\t301231000000Z\t260101000000Z,keyCompromise\t0BAD\tunknown\t/CN=x\n");
    shell.write(
        "ca.cnf",
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_md=default\ncrlnumber=number\n",
    );
    shell.write("number", "FFFF\n");
    shell.openssl("ca -gencrl -config ca.cnf -cert ca.pem -keyfile ca-key.pem -crldays 9 -out crl.pem");
    done(&shell, &["crl", "refresh"]);
    let text = shell.openssl("crl -in crl.pem -noout -text");
    for word in ["Serial Number: 0BAD", "Key Compromise", "65536"] {
        assert!(text.contains(word), "{word} is not in {text}");
    }
}

#[test]
fn a_list_that_would_not_fit_into_a_login_is_not_made() {
    let shell = Shell::with_relay();
    let entries: String = (0x1000..0x1400)
        .map(|serial| format!("R\t301231000000Z\t260101000000Z\t{serial:X}\tunknown\t/CN=x\n"))
        .collect();
    shell.write("index.txt", entries);
    shell.write("ca.cnf", "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_md=default\n");
    shell.openssl("ca -gencrl -config ca.cnf -cert ca.pem -keyfile ca-key.pem -crldays 9 -out crl.pem");
    refused(
        &shell,
        &["cert", "revoke", "--serial", "7"],
        &["crl.pem would be ", "a login has room for", "new CA"],
    );
}

#[test]
fn revocations_at_once_lose_none() {
    let shell = Shell::with_relay();
    let running: Vec<_> = (0x10..0x1a)
        .map(|serial| {
            let mut command = shell.command(&["cert", "revoke", "--serial", &format!("{serial:X}")]);
            command.stdout(std::process::Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut process in running {
        assert!(process.wait().unwrap().success());
    }
    let text = shell.openssl("crl -in crl.pem -noout -text");
    assert_eq!(text.matches("Serial Number: ").count(), 10, "{text}");
}
