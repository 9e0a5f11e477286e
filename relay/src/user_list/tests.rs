//! Lists, good and bad.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use proptest::prelude::*;
use secchat_proto::UserName;
use secchat_proto::crypto::entropy::OsEntropy;
use secchat_proto::crypto::signature::SigningKey;
use secchat_proto::succession::Succession;

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
        "alice {key}\n../etc {key}\nAlice {key}\nalice {key}\nbob {key} more\ncarol\ndora {small}\neve AAAA\nfred !!\n\
         gina {key} until=2027-01-30T12:00:00Z AAAA more\n"
    );
    let errors = errors(text.as_bytes());
    let expected = [
        ("user_list:2: ", "\"../etc\" is not a name"),
        ("user_list:3: ", "\"Alice\" is not a name"),
        ("user_list:4: ", "alice is on line 1 already"),
        ("user_list:5: ", "after bob's key: \"more\" is no time"),
        ("user_list:6: ", "carol's key file keys/carol_pubkey.pem: "),
        ("user_list:7: ", "dora's key is RSA of 1024 bits"),
        ("user_list:8: ", "eve's key is not a public key"),
        ("user_list:9: ", "fred's key is not base64"),
        ("user_list:10: ", "something after gina's succession"),
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

/// A new key, and what it and the one before sign for this user.
fn successor(name: &str, old: &SigningKey) -> (SigningKey, Succession) {
    let new = SigningKey::generate_ed25519(&mut OsEntropy).unwrap();
    let succession = Succession::make(&name.parse().unwrap(), old, &new, 1).unwrap();
    (new, succession)
}

fn base64(bytes: &[u8]) -> String {
    openssl::base64::encode_block(bytes)
}

#[test]
fn an_old_key_is_taken_beside_the_new_one_until_its_time_is_over() {
    let old = SigningKey::generate_ed25519(&mut OsEntropy).unwrap();
    let (middle, first) = successor("alice", &old);
    let (new, second) = successor("alice", &middle);
    let both = [first.encode(), second.encode()].concat();
    let others = good_key();
    let line = |until: &str| {
        let (key, chain) = (base64(new.public_key().as_der()), base64(&both));
        let text = format!("bob {others}\nalice {key} until={until} {chain} # hers\n");
        UserList::parse(text.as_bytes(), Path::new("l"), no_file).unwrap()
    };
    let list = line("2027-01-30T12:00:00Z");
    let until = 1_801_310_400;
    let alice: UserName = "alice".parse().unwrap();
    let taken = |now| {
        let listed = list.registered(&alice, now).unwrap();
        [&old, &middle, &new].map(|key| listed.takes(key.public_key()))
    };
    assert_eq!(taken(until - 1), [false, true, true]);
    assert_eq!(taken(until), [false, false, true]);
    let listed = list.registered(&alice, until).unwrap();
    assert_eq!(
        listed.chain_to(new.public_key()).as_deref(),
        Some(both.as_slice()),
        "peers need it after that"
    );
    assert!(listed.chain_to(middle.public_key()).is_none());
    let bob = list.registered(&"bob".parse().unwrap(), 0).unwrap();
    assert!(bob.chain.is_none() && bob.old_key.is_none());

    // Another time is another line.
    let later = line("2027-01-30T12:00:01Z");
    assert_eq!(list.difference(&later).changed, [alice]);
    assert!(list.difference(&line("2027-01-30T13:00:00+01:00")).changed.is_empty(), "the same time");
}

#[test]
fn a_rotation_that_does_not_stand_is_an_error_of_its_line() {
    let old = SigningKey::generate_ed25519(&mut OsEntropy).unwrap();
    let (new, succession) = successor("alice", &old);
    let (_, other) = successor("alice", &old);
    let (key, good) = (base64(new.public_key().as_der()), base64(&succession.encode()));
    let unsigned = Succession { issued: 2, ..succession };
    let time = "until=2027-01-30T12:00:00Z";
    for (rest, what) in [
        (time.to_owned(), "the succession is missing"),
        (format!("until= {good}"), "no time for the old key's end"),
        (format!("until=2027-01-30 {good}"), "no time for the old key's end"),
        (format!("{good} {time}"), "no time for the old key's end"),
        (format!("{time} {good}="), "is not base64"),
        (format!("{time} AAAA"), "cannot be read"),
        (format!("{time} {}", base64(&other.encode())), "of another key"),
        (format!("{time} {}", base64(&unsigned.encode())), "not signed by both keys"),
    ] {
        let errors = errors(format!("alice {key} {rest}\n").as_bytes());
        assert!(errors.len() == 1 && errors[0].starts_with("user_list:1: "), "{rest}: {errors:?}");
        assert!(errors[0].contains("after alice's key") && errors[0].contains(what), "{rest}: {errors:?}");
    }
    let errors = errors(format!("bob {key} {time} {good}\n").as_bytes());
    assert!(errors[0].contains("not signed by both keys for this user"), "{errors:?}");
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
