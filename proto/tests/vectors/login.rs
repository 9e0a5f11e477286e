//! A whole login (PROTOCOL.md §3), every value between included, and its first records.

use secchat_proto::crypto::certificate::TrustAnchors;
use secchat_proto::crypto::entropy::OsEntropy;
use secchat_proto::crypto::kdf::{expand, extract};
use secchat_proto::crypto::kem::Suites;
use secchat_proto::crypto::secret::Secret;
use secchat_proto::handshake::client::read_s1;
use secchat_proto::handshake::relay::send_s1;
use secchat_proto::handshake::throw_away::ThrowAwayKeys;
use secchat_proto::record::{Opener, Sealer};
use secchat_proto::transcript::transcript_hash;
use secchat_proto::wire::link::{LinkMessage, ListPart};
use secchat_proto::wire::login::{OrReject, Role, S2, S3};

use crate::people::Person;
use crate::pki::{Authority, Certificate, LATER, NOW, TODAY, TOMORROW, YESTERDAY, dns};
use crate::vector_file::{ListedEntropy, VectorFile, bytes_of};

const ABOUT: &str =
    "PROTOCOL.md §3: a login of alice over suite 2, with every value between; §4: its first records.
The relay's certificate, its CA's and the CRL are signed with Ed25519 keys of these seeds.";

#[test]
fn login() {
    let mut file = VectorFile::new("login", ABOUT);
    let (relay, alice) = (Person::new("relay"), Person::new("alice"));
    let (anchors, certificate, crl) = write_authority(&mut file, &relay);
    alice.write(&mut file, "user");

    let nonce_relay = bytes_of("secchat test login nonce_relay", 16);
    let (expect_s2, s1) =
        send_s1(&Suites::for_link(), &certificate, &crl, &mut ListedEntropy(nonce_relay.clone())).unwrap();
    file.begin("S1").bytes("nonce_relay", nonce_relay).bytes("suites", [2, 1]).bytes("s1", &s1);

    let entropy = bytes_of("secchat test login client", 16 + 96);
    let OrReject::Message(verified) = read_s1(&s1, &anchors, &Suites::for_link(), NOW).unwrap() else {
        panic!()
    };
    let (expect_s3, s2) = verified
        .send_s2((&alice.name, &alice.key), Role::Receiver, None, &mut ListedEntropy(entropy.clone()))
        .unwrap();
    let message = S2::decode(&s2).unwrap();
    let th_s2 = transcript_hash(&[&s1, &message.encode_unsigned()]);
    file.begin("S2").number("role", 0).number("suite", 2).bytes("entropy_client", entropy);
    file.bytes("nonce_user", message.nonce_user).bytes("e", &message.ephemeral_key);
    file.bytes("s2_without_signature", message.encode_unsigned()).bytes("th_s2", th_s2);
    file.bytes("s2_signature", &message.signature).bytes("s2", &s2);
    assert_eq!(message.signature, alice.key.sign("secchat 1 S2", &th_s2).unwrap());

    let entropy = bytes_of("secchat test login relay", 64);
    let claim = expect_s2.read_s2(&s2, NOW).unwrap();
    let (at_relay, s3) = claim
        .authenticate(
            Some(alice.key.public_key()),
            &relay.key,
            &ThrowAwayKeys::make(&mut OsEntropy).unwrap(),
            &mut ListedEntropy(entropy.clone()),
        )
        .unwrap();
    let OrReject::Message(message) = S3::decode(&s3).unwrap() else { panic!() };
    let th_s3 = transcript_hash(&[&s1, &s2, &message.encode_unsigned()]);
    file.begin("S3").bytes("entropy_relay", &entropy).bytes("c", &message.sealed);
    file.bytes("s3_without_signature", message.encode_unsigned()).bytes("th_s3", th_s3);
    file.bytes("s3_signature", &message.signature).bytes("s3", &s3);
    assert_eq!(message.signature, relay.key.sign("secchat 1 S3", &th_s3).unwrap());

    let OrReject::Message(at_client) = expect_s3.read_s3(&s3).unwrap() else { panic!() };
    write_keys(&mut file, &[&s1, &s2, &s3]);
    write_record(
        &mut file,
        "client",
        (at_client.sealer, at_relay.opener),
        &LinkMessage::Refresh { watch: true },
    );
    let list = LinkMessage::AvailableUsers { part: ListPart::Last, names: vec!["bob".parse().unwrap()] };
    write_record(&mut file, "relay", (at_relay.sealer, at_client.opener), &list);
    file.check();
}

/// What the client trusts, the relay's certificate and the CRL.
pub(crate) fn write_authority(file: &mut VectorFile, relay: &Person) -> (TrustAnchors, Vec<u8>, Vec<u8>) {
    let ca = Authority::new("secchat test key ca");
    let certificate = ca.issue(
        7,
        &Certificate {
            spki: relay.key.public_key().as_der(),
            common_name: "relay.example",
            alternative_names: Some(dns("relay.example")),
            purpose: Some(1),
            valid: (YESTERDAY, TOMORROW),
        },
    );
    let crl = ca.crl(TODAY, Some(LATER), &[]);
    let anchors = TrustAnchors {
        ca_certificate: ca.certificate(),
        crl: None,
        relay_name: "relay.example".to_owned(),
        newest_crl_seen: 0,
    };
    file.begin("who").bytes("seed_ca", &ca.seed).bytes("ca_certificate", &anchors.ca_certificate);
    file.bytes("seed_relay", &relay.seed).text("relay_name", &anchors.relay_name).number("now", NOW);
    file.bytes("certificate", &certificate).bytes("crl", &crl);
    (anchors, certificate, crl)
}

/// What both ends derive. K is what the client opens with the entropy above.
fn write_keys(file: &mut VectorFile, messages: &[&[u8]; 3]) {
    use secchat_proto::crypto::kem::{EphemeralKey, Suite};
    let entropy = bytes_of("secchat test login client", 16 + 96).split_off(16);
    let key = EphemeralKey::make(Suite::X25519MlKem768, None, &mut ListedEntropy(entropy)).unwrap();
    let OrReject::Message(s3) = S3::decode(messages[2]).unwrap() else { panic!() };
    let k = key.open(&s3.sealed).unwrap();
    let salt = transcript_hash(messages);
    let prk = extract(&salt, &[k.expose()]).unwrap();
    file.begin("keys").bytes("k", k.expose()).bytes("salt", salt).bytes("prk", prk.expose());
    for direction in ["client", "relay"] {
        let chain: Secret<32> = expand(&prk, &format!("secchat 1 login {direction} chain")).unwrap();
        let start: Secret<12> = expand(&prk, &format!("secchat 1 login {direction} counter")).unwrap();
        file.bytes(&format!("{direction}_chain"), chain.expose());
        file.bytes(&format!("{direction}_start"), start.expose());
    }
}

fn write_record(
    file: &mut VectorFile,
    from: &str,
    (mut sealer, mut opener): (Sealer, Opener),
    message: &LinkMessage,
) {
    let (mut plaintext, mut record, mut opened) = (Vec::new(), Vec::new(), Vec::new());
    message.encode(&mut plaintext);
    sealer.seal(&plaintext, &mut record).unwrap();
    opener.open(&record, &mut opened).unwrap();
    assert_eq!(opened, plaintext);
    file.begin(&format!("first record of the {from}")).text("from", from);
    file.bytes("plaintext", &plaintext).bytes("record", &record);
}
