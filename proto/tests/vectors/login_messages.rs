//! S1, S2, S3 and Reject as bytes (PROTOCOL.md §3); how they hang together is in `login.txt`.

use secchat_proto::crypto::kem::Suite;
use secchat_proto::wire::login::{Delegation, OrReject, RejectReason, Role, S1, S2, S3};

use crate::people::Person;
use crate::vector_file::{VectorFile, bytes_of};

const ABOUT: &str =
    "PROTOCOL.md §3: the bytes of S1, S2, S3 and Reject, from made-up fields (the keys, certificates and
signatures here are no real ones), and what is refused.";

#[test]
fn login_messages() {
    let mut file = VectorFile::new("login_messages", ABOUT);
    let (s1, s2, s3) = (s1(), s2(), s3());
    file.begin("S1").bytes("nonce_relay", s1.nonce_relay).bytes("suites", [2, 1]);
    file.bytes("certificate", &s1.certificate).bytes("crl", &s1.crl).bytes("s1", s1.encode());
    assert_eq!(S1::decode(&s1.encode()), Ok(OrReject::Message(s1.clone())));

    let mut with_unknown = s1.encode();
    with_unknown.splice(24..27, [4, 9, 2, 200, 1]);
    file.begin("S1 with unknown suites, skipped").bytes("suites", [9, 2, 200, 1]).bytes("s1", &with_unknown);
    assert_eq!(S1::decode(&with_unknown), Ok(OrReject::Message(s1)));

    file.begin("S2").number("role", 1).bytes("nonce_relay", s2.nonce_relay).number("suite", 2);
    file.bytes("e", &s2.ephemeral_key).bytes("nonce_user", s2.nonce_user);
    file.text("name", s2.user_name.as_str()).bytes("delegation", []).bytes("signature", &s2.signature);
    file.bytes("s2_without_signature", s2.encode_unsigned()).bytes("s2", s2.encode());
    assert_eq!(S2::decode(&s2.encode()).as_ref(), Ok(&s2));

    let delegated = S2 { delegation: Some(delegation()), ..s2.clone() };
    file.begin("S2 with a delegation").number("role", 1).bytes("nonce_relay", delegated.nonce_relay);
    file.number("suite", 2).bytes("e", &delegated.ephemeral_key).bytes("nonce_user", delegated.nonce_user);
    file.text("name", delegated.user_name.as_str()).bytes("delegation", delegation().encode());
    file.bytes("signature", &delegated.signature).bytes("s2_without_signature", delegated.encode_unsigned());
    file.bytes("s2", delegated.encode());
    assert_eq!(S2::decode(&delegated.encode()), Ok(delegated));

    file.begin("S3").bytes("nonce_user", s3.nonce_user).bytes("c", &s3.sealed);
    file.bytes("signature", &s3.signature).bytes("s3_without_signature", s3.encode_unsigned());
    file.bytes("s3", s3.encode());
    assert_eq!(S3::decode(&s3.encode()), Ok(OrReject::Message(s3)));

    for (case, reason) in [
        ("Reject, version", RejectReason::Version),
        ("Reject, malformed", RejectReason::Malformed),
        ("Reject, not authenticated", RejectReason::NotAuthenticated),
        ("Reject, busy", RejectReason::Busy),
        ("Reject, closing", RejectReason::Closing),
    ] {
        file.begin(case).bytes("reject", reason.encode());
        assert_eq!(S3::decode(&reason.encode()), Ok(OrReject::Reject(reason)));
    }
    write_refused(&mut file);
    file.check();
}

fn write_refused(file: &mut VectorFile) {
    file.comment("");
    file.comment("What ends the login. `message` says which one it would be.");
    let mut refuse = |case: &str, message: &str, bytes: Vec<u8>| {
        let error = match message {
            "S1" => S1::decode(&bytes).unwrap_err(),
            "S2" => S2::decode(&bytes).unwrap_err(),
            _ => S3::decode(&bytes).unwrap_err(),
        };
        file.begin(case).text("message", message).bytes("bytes", &bytes).text("refused", &error.to_string());
    };
    let changed = |mut bytes: Vec<u8>, at: usize, value: u8| {
        bytes[at] = value;
        bytes
    };
    refuse("S1 of another program", "S1", changed(s1().encode(), 0, b'S'));
    refuse("S1 of version 2", "S1", changed(s1().encode(), 7, 2));
    refuse("S1 with a suite twice", "S1", changed(s1().encode(), 26, 2));
    refuse("S1 with a byte too many", "S1", [s1().encode(), vec![0]].concat());
    refuse("S2 with role 2", "S2", changed(s2().encode(), 0, 2));
    refuse("S2 with suite 3", "S2", changed(s2().encode(), 17, 3));
    let delegated = s2_with(&delegation().encode());
    assert_eq!(S2::decode(&delegated).unwrap().delegation, Some(delegation()));
    let cut = delegation().encode()[..60].to_vec();
    refuse("S2 with a delegation cut short", "S2", s2_with(&cut));
    refuse(
        "S2 with a byte too many in the delegation",
        "S2",
        s2_with(&[delegation().encode(), vec![0]].concat()),
    );
    refuse("S2 with a delegation to an X25519 key", "S2", s2_with(&changed(delegation().encode(), 10, 0x6e)));
    refuse("S2 with a delegation whose signature is too long", "S2", {
        s2_with(&Delegation { signature: vec![9; 513], ..delegation() }.encode())
    });
    refuse("S2 with a byte too many", "S2", [s2().encode(), vec![0]].concat());
    refuse("S3 of version 2", "S3", changed(s3().encode(), 0, 2));
    refuse("S3 cut short", "S3", s3().encode()[..80].to_vec());
    refuse("Reject without a reason", "S3", vec![0xff]);
    refuse("Reject, reason 0", "S3", vec![0xff, 0]);
    refuse("Reject, reason 6", "S1", vec![0xff, 6]);
}

fn s1() -> S1 {
    S1 {
        nonce_relay: bytes_of("secchat test nonce_relay", 16).try_into().unwrap(),
        suites: vec![Suite::X25519MlKem768, Suite::Rsa3072],
        certificate: bytes_of("secchat test certificate", 40),
        crl: bytes_of("secchat test crl", 20),
    }
}

fn s2() -> S2 {
    S2 {
        role: Role::Sender,
        nonce_relay: s1().nonce_relay,
        suite: Suite::X25519MlKem768,
        ephemeral_key: bytes_of("secchat test E", 33),
        nonce_user: bytes_of("secchat test nonce_user", 16).try_into().unwrap(),
        user_name: "alice".parse().unwrap(),
        delegation: None,
        signature: bytes_of("secchat test signature of S2", 64),
    }
}

/// S2 with these bytes for its delegation.
fn s2_with(delegation: &[u8]) -> Vec<u8> {
    let mut bytes = s2().encode_unsigned();
    bytes.truncate(bytes.len() - 2);
    for field in [delegation, &s2().signature] {
        bytes.extend(u16::try_from(field.len()).unwrap().to_be_bytes());
        bytes.extend(field);
    }
    bytes
}

fn delegation() -> Delegation {
    Delegation {
        delegate: Person::new("delegate").key.public_key().clone(),
        not_after: 1_795_651_200,
        signature: bytes_of("secchat test signature of the delegation", 64),
    }
}

fn s3() -> S3 {
    S3 {
        nonce_user: s2().nonce_user,
        sealed: bytes_of("secchat test C", 48),
        signature: bytes_of("secchat test signature of S3", 64),
    }
}
