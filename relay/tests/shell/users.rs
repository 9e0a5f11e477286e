//! `user add`, `user remove`, `user list`.

use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};

use openssl::pkey::PKey;
use secchat_proto::crypto::signature::SigningKey;
use secchat_proto::succession::Succession;

use crate::{Shell, mode};

/// A folder with a relay's files and two public keys, a.pem and b.pem; gives those keys in base64.
fn with_keys() -> (Shell, String, String) {
    let shell = Shell::with_relay();
    let [a, b] = ["a", "b"].map(|name| {
        shell.openssl(&format!("genpkey -algorithm ed25519 -out {name}.key"));
        shell.openssl(&format!("pkey -in {name}.key -pubout -out {name}.pem"));
        shell.text(&format!("{name}.pem")).lines().nth(1).unwrap().to_owned()
    });
    (shell, a, b)
}

/// Runs a command that must succeed; gives what it prints.
fn done(shell: &Shell, arguments: &[&str]) -> String {
    let output = shell.relay(arguments);
    assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn user_add_takes_both_forms_and_keeps_the_list_as_it_was() {
    let shell = Shell::with_relay();
    shell.openssl("genpkey -algorithm ed25519 -out a.key");
    shell.openssl("pkey -in a.key -pubout -out a.pem");
    let base64 = shell.text("a.pem").lines().nth(1).unwrap().to_owned();
    let old = "# my users\n\nzoe   MCowBQYDK2VwAyEAXkOFI7AM1hhx/ov9r/RdD5ZEoS2t2b8GHx0+G8LJkb4= # since 2021";
    shell.write("user_list", old);
    std::fs::set_permissions(shell.path("user_list"), PermissionsExt::from_mode(0o640)).unwrap();
    assert!(shell.relay(&["user", "add", "alice", "a.pem"]).status.success());
    assert!(shell.relay(&["user", "add", "bob", &base64, "--config", "relay.toml"]).status.success());
    assert_eq!(shell.text("user_list"), format!("{old}\nalice {base64}\nbob {base64}\n"));
    assert_eq!(mode(&shell.path("user_list")), 0o640);

    // A list that is a link stays one.
    std::os::unix::fs::symlink("user_list", shell.path("link")).unwrap();
    assert!(shell.relay(&["user", "add", "carol", &base64, "--list", "link"]).status.success());
    assert!(
        shell.path("link").is_symlink() && shell.text("user_list").ends_with(&format!("carol {base64}\n"))
    );
}

#[test]
fn user_add_refuses_and_changes_nothing() {
    let shell = Shell::with_relay();
    shell.openssl("genpkey -algorithm ed25519 -out a.key");
    shell.openssl("pkey -in a.key -pubout -out a.pem");
    shell.openssl("genrsa -out small.key 1024");
    shell.openssl("rsa -in small.key -pubout -out small.pem");
    assert!(shell.relay(&["user", "add", "alice", "a.pem"]).status.success());
    let before = shell.text("user_list");
    let long = "x".repeat(33);
    for (name, key, word) in [
        ("alice", "a.pem", "(line 3); to give it another key, add --replace"),
        ("Bob", "a.pem", "\"Bob\" is not a name"),
        ("../bob", "a.pem", "is not a name"),
        ("bob\u{202e}", "a.pem", "\\u{202e}"),
        (long.as_str(), "a.pem", "is not a name"),
        ("bob", "small.pem", "RSA of 1024 bits"),
        ("bob", "a.key", "is a private key"),
        ("bob", "user_list", "is not a public key"),
        ("bob", "nothing.pem", "is not base64"),
    ] {
        let error = shell.fails(&["user", "add", name, key]);
        assert!(error.contains(word), "{name} {key}: {error}");
        assert_eq!(shell.text("user_list"), before);
    }
    shell.write("user_list", "Bob\ncarol\n");
    let error = shell.fails(&["user", "add", "dora", "a.pem"]);
    assert!(error.contains("user_list:1: ") && error.contains("user_list:2: "), "{error}");
    assert_eq!(shell.text("user_list"), "Bob\ncarol\n");
    let error = shell.fails(&["user", "add", "dora", "a.pem", "--list", "nowhere"]);
    assert!(error.contains("nowhere: ") && error.contains("--list"), "{error}");
}

#[test]
fn a_removed_user_leaves_everything_else() {
    let (shell, a, b) = with_keys();
    shell.write("user_list", format!("# ours\n\nalice {a} # 2021\r\n  bob\t{b}\n#alice {a}\ncarol\n\n# end"));
    shell.write("carol_pubkey.pem", shell.text("b.pem"));
    std::fs::set_permissions(shell.path("user_list"), PermissionsExt::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("user_list", shell.path("link")).unwrap();
    let said = done(&shell, &["user", "remove", "alice", "--list", "link"]);
    assert!(said.contains("ends the user's session"), "{said}");
    assert_eq!(shell.text("user_list"), format!("# ours\n\n  bob\t{b}\n#alice {a}\ncarol\n\n# end"));
    assert_eq!(mode(&shell.path("user_list")), 0o640);
    assert!(shell.path("link").is_symlink());
    let said = done(&shell, &["user", "remove", "carol", "--config", "relay.toml"]);
    assert!(said.contains("carol_pubkey.pem any more"), "{said}");
    assert_eq!(shell.text("user_list"), format!("# ours\n\n  bob\t{b}\n#alice {a}\n\n# end"));

    let before = shell.text("user_list");
    for (name, word) in [("alice", "alice is not on "), ("Bob", "\"Bob\" is not a name")] {
        let error = shell.fails(&["user", "remove", name]);
        assert!(error.contains(word), "{error}");
    }
    assert_eq!(shell.text("user_list"), before);
}

#[test]
fn the_list_stays_its_owners() {
    use std::os::unix::fs::{MetadataExt, chown};
    if !rustix::process::geteuid().is_root() {
        println!("only root can give files away: not tested");
        return;
    }
    let (shell, a, _) = with_keys();
    chown(shell.path("user_list"), Some(4_321), Some(1_234)).unwrap();
    std::fs::set_permissions(shell.path("user_list"), PermissionsExt::from_mode(0o4640)).unwrap();
    done(&shell, &["user", "add", "alice", &a]);
    done(&shell, &["user", "remove", "alice"]);
    let metadata = std::fs::metadata(shell.path("user_list")).unwrap();
    assert_eq!((metadata.uid(), metadata.gid(), mode(&shell.path("user_list"))), (4_321, 1_234, 0o4640));
}

#[test]
fn an_error_can_be_removed_but_none_left() {
    let (shell, a, _) = with_keys();
    // Nobody's key file is there, and bob is there twice.
    shell.write("user_list", format!("alice {a}\nbob\nbob {a}\n"));
    let error = shell.fails(&["user", "remove", "alice"]);
    assert!(error.contains("user_list:1: ") && error.contains("bob_pubkey.pem"), "{error}");
    assert_eq!(shell.text("user_list"), format!("alice {a}\nbob\nbob {a}\n"));
    done(&shell, &["user", "remove", "bob"]);
    assert_eq!(shell.text("user_list"), format!("alice {a}\n"));
}

#[test]
fn a_key_is_replaced_only_when_asked() {
    let (shell, a, b) = with_keys();
    shell.write("user_list", format!("alice {a}   # 2021\nbob\n"));
    shell.write("bob_pubkey.pem", shell.text("a.pem"));
    let said = done(&shell, &["user", "add", "alice", &a, "--replace"]);
    assert!(said.contains("nothing was changed"), "{said}");
    let said = done(&shell, &["user", "add", "alice", "b.pem", "--replace"]);
    assert!(said.contains("ends the old key's session"), "{said}");
    assert_eq!(shell.text("user_list"), format!("alice {b}   # 2021\nbob\n"));
    done(&shell, &["user", "add", "bob", &b, "--replace"]);
    assert_eq!(shell.text("user_list"), format!("alice {b}   # 2021\nbob {b}\n"));
    let said = done(&shell, &["user", "add", "carol", "b.pem", "--replace"]);
    assert!(said.contains("carol is on "), "{said}");
}

#[test]
fn the_list_is_printed_with_what_openssl_calls_its_keys() {
    let (shell, a, _) = with_keys();
    assert_eq!(done(&shell, &["user", "list"]), "");
    assert_eq!(done(&shell, &["user", "list", "--json"]), "[]\n");
    shell.openssl("genrsa -out r.key 3072");
    shell.openssl("rsa -in r.key -pubout -out zoe_pubkey.pem");
    shell.write("user_list", format!("zoe # since 2021\nalice {a}\n"));
    shell.openssl("pkey -pubin -in a.pem -outform DER -out a.der");
    shell.openssl("dgst -sha256 -binary -out a.sha a.der");
    let fingerprint = shell.openssl("base64 -in a.sha");
    let fingerprint = fingerprint.trim().trim_end_matches('=');
    let printed = done(&shell, &["user", "list"]);
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines[0], format!("alice  ed25519  SHA256:{fingerprint}"));
    assert!(lines[1].starts_with("zoe    rsa3072  SHA256:") && lines.len() == 2, "{printed}");
    let json: serde_json::Value = serde_json::from_str(&done(&shell, &["user", "list", "--json"])).unwrap();
    assert_eq!(json[0]["fingerprint"], format!("SHA256:{fingerprint}"));
    assert_eq!((&json[0]["name"], &json[0]["key"]), (&"alice".into(), &a.into()));
    assert_eq!((&json[1]["name"], &json[1]["kind"]), (&"zoe".into(), &"rsa3072".into()));
    shell.write("user_list", "X\nY\n");
    let error = shell.fails(&["user", "list"]);
    assert!(error.contains("user_list:1: ") && error.contains("user_list:2: "), "{error}");
}

/// The private key in a file that OpenSSL made.
fn signing_key(shell: &Shell, name: &str) -> SigningKey {
    SigningKey::from_pkey(PKey::private_key_from_pem(shell.text(name).as_bytes()).unwrap()).unwrap()
}

/// What `secchatctl keygen --rotate` writes.
fn succession(shell: &Shell, name: &str, old: &str, new: &str) -> String {
    let (old, new) = (signing_key(shell, old), signing_key(shell, new));
    let made = Succession::make(&name.parse().unwrap(), &old, &new, 1).unwrap();
    openssl::base64::encode_block(&made.encode())
}

#[test]
fn user_rotate_takes_the_key_that_both_signed_and_keeps_the_old_one_for_a_while() {
    let (shell, a, b) = with_keys();
    shell.write("user_list", format!("# mine\nzoe {a}\nalice {a} # since 2021\n"));
    let made = succession(&shell, "alice", "a.key", "b.key");
    shell.write("alice.succession", format!("{made}\n"));
    let said = done(&shell, &["user", "rotate", "alice", "alice.succession"]);
    assert!(said.contains("the old one is taken until 20") && said.contains("tell alice"), "{said}");
    let list = shell.text("user_list");
    let line = list.lines().nth(2).unwrap();
    assert!(list.starts_with(&format!("# mine\nzoe {a}\n")) && list.lines().count() == 3, "{list}");
    assert!(line.starts_with(&format!("alice {b} until=20")), "{list}");
    assert!(line.ends_with(&format!("Z {made} # since 2021")), "{list}");
    let printed = done(&shell, &["user", "list"]);
    assert!(printed.lines().next().unwrap().contains("  until 20"), "{printed}");
    let json: serde_json::Value = serde_json::from_str(&done(&shell, &["user", "list", "--json"])).unwrap();
    assert_eq!((&json[0]["key"], &json[1]["old"]), (&b.as_str().into(), &serde_json::Value::Null));
    assert!(json[0]["old"]["fingerprint"].as_str().unwrap().starts_with("SHA256:"), "{json}");

    // The same once more, on the command line: only the time is another. It is over at once.
    let said = done(&shell, &["user", "rotate", "alice", &made, "--for", "0"]);
    assert!(said.contains("taken until 20"), "{said}");
    assert!(!done(&shell, &["user", "list"]).contains("until"), "its time is over");
    let report = shell.relay(&["check"]);
    let warnings = String::from_utf8_lossy(&report.stderr).into_owned();
    assert!(warnings.contains("alice's old key is not taken since 20"), "{warnings}");

    // A third key: what was signed before stays, for who knows the first one only.
    shell.openssl("genpkey -algorithm ed25519 -out c.key");
    let next = succession(&shell, "alice", "b.key", "c.key");
    done(&shell, &["user", "rotate", "alice", &next, "--for", "2d"]);
    let list = shell.text("user_list");
    let bytes = |text: &str| openssl::base64::decode_block(text).unwrap();
    let both = openssl::base64::encode_block(&[bytes(&made), bytes(&next)].concat());
    assert!(list.contains(&both), "{list}");

    // Another key that nobody vouches for takes all of it off the line.
    done(&shell, &["user", "add", "alice", &a, "--replace"]);
    assert!(shell.text("user_list").ends_with(&format!("alice {a} # since 2021\n")));
}

#[test]
fn user_rotate_refuses_what_the_key_on_the_list_did_not_sign() {
    let (shell, a, b) = with_keys();
    shell.openssl("genpkey -algorithm ed25519 -out c.key");
    shell.openssl("pkey -in a.key -pubout -out bob_pubkey.pem");
    let before = format!("alice {a}\nbob\n");
    shell.write("user_list", &before);
    let good = succession(&shell, "alice", "a.key", "b.key");
    let of_b = succession(&shell, "alice", "b.key", "c.key");
    for (name, given, word) in [
        ("alice", of_b.as_str(), "of another key than the one on the list"),
        ("bob", good.as_str(), "not signed by both keys for this user"),
        ("carol", good.as_str(), "carol is not on"),
        ("alice", &good[..40], "cannot be read"),
        ("alice", "nothing.there", "is not base64"),
        ("alice", b.as_str(), "cannot be read"),
        ("Alice", good.as_str(), "is not a name"),
    ] {
        let error = shell.fails(&["user", "rotate", name, given]);
        assert!(error.contains(word), "{name} {given}: {error}");
        assert_eq!(shell.text("user_list"), before);
    }
    let usage = shell.relay(&["user", "rotate", "alice", &good, "--for", "a while"]);
    assert_eq!(usage.status.code(), Some(2));
    // A bare name gets a line of its own; its file is not read any more.
    let made = succession(&shell, "bob", "a.key", "c.key");
    let said = done(&shell, &["user", "rotate", "bob", &made]);
    assert!(said.contains("bob_pubkey.pem any more"), "{said}");
    assert!(shell.text("user_list").starts_with(&format!("alice {a}\nbob MCow")));
}

#[test]
fn twenty_changes_at_once_lose_none() {
    let (shell, a, b) = with_keys();
    let old: String = (0..10).map(|number| format!("old{number} {a} # {number}\n")).collect();
    shell.write("user_list", format!("# before\n{old}# after\n"));
    let start =
        |arguments: &[&str]| -> Child { shell.command(arguments).stdout(Stdio::null()).spawn().unwrap() };
    let running: Vec<Child> = (0..10)
        .flat_map(|number| {
            // Through two names of one list: they must find the same lock.
            let list = if number % 2 == 0 { "user_list" } else { "./user_list" };
            [
                start(&["user", "add", &format!("new{number}"), &b, "--list", list]),
                start(&["user", "remove", &format!("old{number}"), "--list", list]),
            ]
        })
        .collect();
    for mut process in running {
        assert!(process.wait().unwrap().success());
    }
    let list = shell.text("user_list");
    let mut lines: Vec<&str> = list.lines().collect();
    assert_eq!((lines[0], lines[1]), ("# before", "# after"), "{list}");
    lines.sort_unstable();
    let new: Vec<String> = (0..10).map(|number| format!("new{number} {b}")).collect();
    assert_eq!(lines[2..], new, "{list}");
    let names = std::fs::read_dir(shell.path("")).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(
        !names.into_iter().any(|name| name.to_string_lossy().starts_with(".tmp")),
        "nothing is left behind"
    );
}
