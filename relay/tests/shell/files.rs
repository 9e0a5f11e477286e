//! `init`.

use crate::{Shell, mode};

#[test]
fn init_makes_what_openssl_finds_good() {
    let shell = Shell::new();
    let output = shell.relay(&["init", "--dir", "r", "--name", "Relay.example", "--name", "192.0.2.7"]);
    assert!(output.status.success());
    let advice = String::from_utf8(output.stdout).unwrap();
    for word in [
        "serve --config r/relay.toml\n",
        "user add NAME KEY --config r/relay.toml\n",
        "Hand r/ca.pem to each user",
        "secchatctl init --relay relay.example:9090 --ca ca.pem\n",
        "for relay.example, 192.0.2.7\n",
        "crl refresh --config r/relay.toml\n",
        "check --config r/relay.toml\n",
    ] {
        assert!(advice.contains(word), "{word} is not in {advice}");
    }
    for (file, expected) in [
        ("relay.toml", 0o644),
        ("ca.pem", 0o644),
        ("ca-key.pem", 0o600),
        ("relay.pem", 0o644),
        ("relay-key.pem", 0o600),
        ("crl.pem", 0o644),
        ("user_list", 0o644),
    ] {
        assert_eq!(mode(&shell.path("r").join(file)), expected, "{file}");
        assert!(advice.contains(&format!("  {expected:04o}  {file:13}  ")), "{file}: {advice}");
    }
    let verify = "verify -x509_strict -purpose sslserver -CAfile r/ca.pem -crl_check -CRLfile r/crl.pem";
    shell.openssl(&format!("{verify} -verify_hostname relay.example r/relay.pem"));
    shell.openssl(&format!("{verify} -verify_ip 192.0.2.7 r/relay.pem"));
    let key = shell.openssl("pkey -in r/relay-key.pem -pubout");
    assert_eq!(shell.openssl("x509 -in r/relay.pem -noout -pubkey"), key);
    let extensions = shell.openssl("x509 -in r/relay.pem -noout -ext extendedKeyUsage,subjectAltName");
    assert!(extensions.contains("TLS Web Server Authentication"), "{extensions}");
    // Thirty days from now, whatever the length of the month.
    let next = shell.openssl("crl -in r/crl.pem -noout -nextupdate");
    let next =
        openssl::asn1::Asn1Time::from_str(&asn1(next.trim().strip_prefix("nextUpdate=").unwrap())).unwrap();
    let left = openssl::asn1::Asn1Time::days_from_now(0).unwrap().diff(&next).unwrap();
    assert!((29..=30).contains(&left.days), "{left:?}");
}

/// `Dec 25 04:14:33 2026 GMT` as `20261225041433Z`.
fn asn1(date: &str) -> String {
    let words: Vec<_> = date.split_whitespace().collect();
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.iter().position(|month| *month == words[0]).unwrap() + 1;
    format!("{}{month:02}{:0>2}{}Z", words[3], words[1], words[2].replace(':', ""))
}

#[test]
fn init_writes_over_nothing_and_leaves_nothing_behind() {
    let shell = Shell::new();
    shell.write("crl.pem", "mine");
    let error = shell.fails(&["init"]);
    assert!(error.contains("crl.pem") && error.contains("--dir"), "{error}");
    assert_eq!(std::fs::read_dir(shell.path("")).unwrap().count(), 1);
    assert_eq!(shell.text("crl.pem"), "mine");
    for name in ["*.example", "a b", "", "http://relay", "relay:9090"] {
        let error = shell.fails(&["init", "--dir", "other", "--name", name]);
        assert!(error.contains("neither a host name nor an IP address"), "{error}");
        assert!(!shell.path("other").exists());
    }
    for listen in ["9090", "::1:9090", "localhost:"] {
        let error = shell.fails(&["init", "--dir", "other", "--listen", listen]);
        assert!(error.contains("is not ADDRESS:PORT"), "{error}");
        assert!(!shell.path("other").exists());
    }
}
