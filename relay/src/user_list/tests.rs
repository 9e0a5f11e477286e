//! Lists, good and bad.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use proptest::prelude::*;
use secchat_proto::UserName;

use super::{Files, KeyFault, UserList, key_from_base64, key_from_pem};

fn good_key() -> String {
    openssl::base64::encode_block(&PKey::generate_ed25519().unwrap().public_key_to_der().unwrap())
}

fn no_file(name: &UserName) -> (PathBuf, io::Result<Vec<u8>>) {
    (PathBuf::from(format!("keys/{name}_pubkey.pem")), Err(io::ErrorKind::NotFound.into()))
}

fn errors(text: &[u8]) -> Vec<String> {
    let errors = UserList::parse(text, Path::new("user_list"), no_file).expect_err("errors");
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn takes_keys_on_lines_and_in_files() {
    let (line, file) = (good_key(), PKey::generate_ed25519().unwrap());
    let text = format!("# users\n\n  alice {line}  # a comment\r\nbob\t{line}\ncarol\n# end");
    let pem = file.public_key_to_pem().unwrap();
    let list = UserList::parse(text.as_bytes(), Path::new("l"), |name| {
        assert_eq!(name.as_str(), "carol");
        (PathBuf::new(), Ok(pem.clone()))
    })
    .unwrap();
    assert_eq!(list.len(), 3);
    assert_eq!(list.key(&"carol".parse().unwrap()).unwrap().as_der(), file.public_key_to_der().unwrap());
    assert!(list.key(&"dora".parse().unwrap()).is_none());
    assert!(UserList::parse(b"", Path::new("l"), no_file).unwrap().is_empty());
}

#[test]
fn tells_every_error_with_its_line() {
    let key = good_key();
    let small = Rsa::generate(1024).unwrap();
    let small = openssl::base64::encode_block(&PKey::from_rsa(small).unwrap().public_key_to_der().unwrap());
    let text = format!(
        "alice {key}\n../etc {key}\nAlice {key}\nalice {key}\nbob {key} more\ncarol\ndora {small}\neve AAAA\nfred !!\n"
    );
    let errors = errors(text.as_bytes());
    let expected = [
        ("user_list:2: ", "\"../etc\" is not a name"),
        ("user_list:3: ", "\"Alice\" is not a name"),
        ("user_list:4: ", "alice is on line 1 already"),
        ("user_list:5: ", "something after bob's key"),
        ("user_list:6: ", "carol's key file keys/carol_pubkey.pem: "),
        ("user_list:7: ", "dora's key is RSA of 1024 bits"),
        ("user_list:8: ", "eve's key is not a public key"),
        ("user_list:9: ", "fred's key is not base64"),
    ];
    assert_eq!(errors.len(), expected.len(), "{errors:#?}");
    for (error, (place, what)) in errors.iter().zip(expected) {
        assert!(error.starts_with(place) && error.contains(what), "{error}");
    }
}

#[test]
fn keys_have_one_spelling() {
    let key = good_key();
    assert!(key_from_base64(key.as_bytes()).is_ok());
    for bad in [key.trim_end_matches('='), &format!("{key}="), &format!("{key}AAAA"), ""] {
        assert!(key_from_base64(bad.as_bytes()).is_err(), "{bad}");
    }
    let x25519 = PKey::generate_x25519().unwrap().public_key_to_der().unwrap();
    let x25519 = openssl::base64::encode_block(&x25519);
    assert_eq!(key_from_base64(x25519.as_bytes()).unwrap_err(), KeyFault::NotPermitted);
    assert_eq!(key_from_pem(b"-----BEGIN").unwrap_err(), KeyFault::Unreadable);
}

#[test]
fn a_list_is_compared_with_the_one_before() {
    let (one, other) = (good_key(), good_key());
    let list = |text: &str| UserList::parse(text.as_bytes(), Path::new("l"), no_file).unwrap();
    let names = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<Vec<UserName>>();
    let old = list(&format!("alice {one}\nbob {one}\ndora {one}\nfred {one}\n"));
    let new = list(&format!("aaron {one}\nbob {one}\ndora {other}\neve {one}\nzoe {one}\n"));
    let difference = old.difference(&new);
    assert_eq!(difference.added, names(&["aaron", "eve", "zoe"]));
    assert_eq!(difference.removed, names(&["alice", "fred"]));
    assert_eq!(difference.changed, names(&["dora"]));
    assert_eq!(old.difference(&old), super::Difference::default());
}

#[test]
fn keys_that_were_checked_are_not_checked_again_but_others_are() {
    let (one, other) = (good_key(), good_key());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("l");
    let read = |text: &str, before: &Arc<UserList>| {
        std::fs::write(&file, text).unwrap();
        UserList::read((&file, folder.path()), &mut Files::new(), before)
    };
    let first = read(&format!("alice {one}\nbob {one}\n"), &Arc::default()).unwrap();
    assert!(Arc::ptr_eq(&first, &read(&format!("alice {one}\nbob {one}\n"), &first).unwrap()));
    let second = read(&format!("alice {other}\nbob {one}\n# more\n"), &first).unwrap();
    assert_eq!(first.difference(&second).changed, ["alice".parse::<UserName>().unwrap()]);
    let bad = read(&format!("alice {other}x\nbob {one} #\n"), &second).unwrap_err();
    assert_eq!(bad.len(), 1);
    assert!(read("", &second).unwrap().is_blank() && !second.is_blank());
    // A key file can change though the list does not.
    let pem = || PKey::generate_ed25519().unwrap().public_key_to_pem().unwrap();
    std::fs::write(folder.path().join("carol_pubkey.pem"), pem()).unwrap();
    let third = read("carol\n", &second).unwrap();
    std::fs::write(folder.path().join("carol_pubkey.pem"), pem()).unwrap();
    let fourth = read("carol\n", &third).unwrap();
    assert_eq!(third.difference(&fourth).changed, ["carol".parse::<UserName>().unwrap()]);
}

proptest! {
    #[test]
    fn any_bytes_give_a_list_or_errors_in_order(text in prop::collection::vec(any::<u8>(), 0..400)) {
        let lines = text.split(|byte| *byte == b'\n').count();
        match UserList::parse(&text, Path::new("l"), no_file) {
            Ok(list) => prop_assert!(list.is_empty(), "random bytes hold no key"),
            Err(errors) => {
                prop_assert!(!errors.is_empty() && errors.len() <= lines);
                prop_assert!(errors.is_sorted_by_key(|error| error.line));
                prop_assert!(errors.iter().all(|error| (1..=lines).contains(&error.line)));
            }
        }
    }

    #[test]
    fn what_is_written_is_read(names in prop::collection::btree_set("[a-z0-9][a-z0-9._-]{0,31}", 0..20)) {
        let key = good_key();
        let text: String = names.iter().map(|name| format!("{name} {key}\n")).collect();
        let list = UserList::parse(text.as_bytes(), Path::new("l"), no_file).unwrap();
        prop_assert_eq!(list.len(), names.len());
        for name in names {
            prop_assert!(list.key(&name.parse().unwrap()).is_some());
        }
    }
}
