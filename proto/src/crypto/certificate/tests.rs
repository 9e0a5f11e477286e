//! Every rule of the judgement, and what happens when it is broken.

use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage};
use openssl::x509::{X509, X509Extension, X509Name};

use super::test_pki::{
    DAY, NOW, SERIAL, TestCa, add_ca_extensions, add_san, builder, common_name, p256, time, tlv,
};
use super::{CertificateWarning, TrustAnchors, VerifiedCertificate};
use crate::Error;
use crate::error::Untrusted;

impl TestCa {
    /// Judges a certificate with a good CRL on file.
    fn judge(&self, certificate: &[u8]) -> Result<(), Untrusted> {
        outcome(&self.anchors().verify(certificate, &[], NOW))
    }

    /// Judges a CRL of S1's with a good certificate.
    fn judge_crl(&self, crl: &[u8]) -> Result<(), Untrusted> {
        let anchors = TrustAnchors { crl: None, ..self.anchors() };
        outcome(&anchors.verify(&self.issue(&|_| ()), crl, NOW))
    }
}

fn outcome(verified: &Result<VerifiedCertificate, Error>) -> Result<(), Untrusted> {
    assert!(openssl::error::ErrorStack::get().errors().is_empty(), "errors left in OpenSSL's queue");
    match verified {
        Ok(_) => Ok(()),
        Err(Error::Untrusted(cause)) => Err(*cause),
        Err(other) => panic!("{other}"),
    }
}

/// `SEQUENCE OF` one revoked certificate, with its entry's extensions.
fn revoked(serial: u32, extensions: &[Vec<u8>]) -> Vec<u8> {
    let serial = serial.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    let entry = [tlv(2, &[serial]), time(NOW), extensions.concat()].concat();
    tlv(0x30, &[tlv(0x30, &[entry])])
}

/// `[0] Extensions` of a CRL with one extension 2.5.29.`arc`.
fn extension(arc: u8, critical: bool, value: Vec<u8>) -> Vec<u8> {
    let critical = if critical { vec![1, 1, 0xff] } else { Vec::new() };
    let extension = tlv(0x30, &[vec![6, 3, 0x55, 0x1d, arc], critical, tlv(4, &[value])]);
    tlv(0xa0, &[tlv(0x30, &[extension])])
}

#[test]
fn a_good_certificate_stands() {
    let ca = TestCa::new("CA");
    let certificate = ca.issue(&|builder| {
        add_san(builder, &["other.example", "Relay.Example"], &[]);
        builder.append_extension(ExtendedKeyUsage::new().server_auth().build().unwrap()).unwrap();
    });
    let anchors = ca.anchors();
    let verified = anchors.verify(&certificate, &[], NOW).unwrap();
    assert_eq!(verified.warnings, []);
    let newest = anchors.newest_crl(&[], NOW).unwrap();
    assert_eq!((Some(newest.der), newest.this_update), (anchors.crl, NOW - DAY));
    let spki = X509::from_der(&certificate).unwrap().public_key().unwrap().public_key_to_der().unwrap();
    assert_eq!(verified.public_key.as_der(), spki);
}

#[test]
fn the_ca_may_be_an_intermediate() {
    let ca = TestCa::new("Root").intermediate();
    assert_eq!(ca.judge(&ca.issue(&|_| ())), Ok(()));
}

#[test]
fn only_what_the_ca_itself_signed_stands() {
    let ca = TestCa::new("CA");
    let namesake = TestCa::new("CA");
    assert_eq!(ca.judge(&namesake.issue(&|_| ())), Err(Untrusted::WrongCa), "same name, other key");
    let below = ca.intermediate();
    assert_eq!(ca.judge(&below.issue(&|_| ())), Err(Untrusted::WrongCa), "signed by a CA of the CA's");
    let renamed = ca.issue(&|builder| builder.set_issuer_name(&common_name("Another")).unwrap());
    assert_eq!(ca.judge(&renamed), Err(Untrusted::WrongCa), "other issuer");
    let mut flipped = ca.issue(&|_| ());
    *flipped.last_mut().unwrap() ^= 1;
    assert_eq!(ca.judge(&flipped), Err(Untrusted::WrongCa), "changed signature");
    let oid = openssl::asn1::Asn1Object::from_str("1.3.6.1.4.1.99999.1").unwrap();
    let value = openssl::asn1::Asn1OctetString::new_from_bytes(&[5, 0]).unwrap();
    let critical = ca.issue(&|builder| {
        builder.append_extension(X509Extension::new_from_der(&oid, true, &value).unwrap()).unwrap();
    });
    assert_eq!(ca.judge(&critical), Err(Untrusted::WrongCa), "an unknown critical extension");
}

#[test]
fn the_ca_does_not_vouch_for_itself() {
    let root = TestCa::new("Root");
    let key = PKey::generate_ed25519().unwrap();
    let mut builder = builder("relay.example", 2);
    builder.set_issuer_name(root.certificate.subject_name()).unwrap();
    builder.set_pubkey(&key).unwrap();
    add_ca_extensions(&mut builder);
    builder.sign(&root.key, MessageDigest::sha256()).unwrap();
    let der = builder.build().to_der().unwrap();
    let anchors = TrustAnchors { ca_certificate: der.clone(), ..root.anchors() };
    assert_eq!(outcome(&anchors.verify(&der, &[], NOW)), Err(Untrusted::WrongCa));
}

#[test]
fn a_certificate_that_may_not_sign_others_is_no_ca() {
    let ca = TestCa::new("CA");
    let key = p256();
    let mut builder = builder("No CA", 3);
    builder.set_issuer_name(ca.certificate.subject_name()).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.append_extension(BasicConstraints::new().critical().build().unwrap()).unwrap();
    builder.sign(&ca.key, MessageDigest::sha256()).unwrap();
    let no_ca = TestCa { key, certificate: builder.build() };
    assert_eq!(no_ca.judge(&no_ca.issue(&|_| ())), Err(Untrusted::WrongCa));
}

#[test]
fn weak_hashes_do_not_count() {
    let ca = TestCa::new("CA");
    for (digest, stands) in [
        (MessageDigest::sha1(), Err(Untrusted::WrongCa)),
        (MessageDigest::sha224(), Err(Untrusted::WrongCa)),
        (MessageDigest::sha256(), Ok(())),
        (MessageDigest::sha384(), Ok(())),
        (MessageDigest::sha512(), Ok(())),
    ] {
        assert_eq!(ca.judge(&ca.issue_with(digest, &|_| ())), stands);
    }
}

#[test]
fn keys_of_other_kinds_and_sizes_are_weak() {
    let ca = TestCa::new("CA");
    let small = PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap();
    for key in [p256(), small] {
        let certificate = ca.issue(&|builder| builder.set_pubkey(&key).unwrap());
        assert_eq!(ca.judge(&certificate), Err(Untrusted::WeakKey));
    }
    let rsa = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    assert_eq!(ca.judge(&ca.issue(&|builder| builder.set_pubkey(&rsa).unwrap())), Ok(()));
}

#[test]
fn validity_is_judged_at_the_time_passed_in() {
    let ca = TestCa::new("CA");
    let certificate = ca.issue(&|_| ());
    let crl = ca.crl(&[time(NOW - 2 * DAY)]);
    let anchors = TrustAnchors { crl: Some(crl), ..ca.anchors() };
    for (now, expected) in [
        (NOW - DAY - 1, Err(Untrusted::NotYetValid)),
        (NOW - DAY, Ok(())),
        (NOW + DAY, Ok(())),
        (NOW + DAY + 1, Err(Untrusted::Expired)),
        (u64::MAX, Err(Untrusted::Expired)),
    ] {
        assert_eq!(outcome(&anchors.verify(&certificate, &[], now)), expected, "{now}");
    }
}

#[test]
fn garbage_is_unreadable() {
    let ca = TestCa::new("CA");
    let good = ca.issue(&|_| ());
    let long = [good.as_slice(), &[0]].concat();
    for garbage in [&[][..], b"garbage", &good[..good.len() - 1], &long] {
        assert_eq!(ca.judge(garbage), Err(Untrusted::CertificateUnreadable));
    }
}

#[test]
fn an_eku_must_hold_server_auth() {
    let ca = TestCa::new("CA");
    let client = ca.issue(&|builder| {
        builder.append_extension(ExtendedKeyUsage::new().client_auth().build().unwrap()).unwrap();
    });
    assert_eq!(ca.judge(&client), Err(Untrusted::WrongPurpose));
    let other = ca.issue(&|builder| {
        let usage = ExtendedKeyUsage::new().other("1.3.6.1.4.1.99999.2").build().unwrap();
        builder.append_extension(usage).unwrap();
    });
    assert_eq!(ca.judge(&other), Err(Untrusted::WrongPurpose));
}

#[test]
fn names_are_exact() {
    let ca = TestCa::new("CA");
    let judge = |relay_name: &str, dns: &[&str], ip: &[&str]| {
        let certificate = ca.issue(&|builder| {
            if !dns.is_empty() || !ip.is_empty() {
                add_san(builder, dns, ip);
            }
        });
        let anchors = TrustAnchors { relay_name: relay_name.to_owned(), ..ca.anchors() };
        outcome(&anchors.verify(&certificate, &[], NOW)).is_ok()
    };
    assert!(judge("relay.example", &["RELAY.example"], &[]));
    assert!(!judge("relay.example", &["*.example"], &[]), "a wildcard");
    assert!(!judge("*.example", &["*.example"], &[]), "a wildcard taken literally");
    assert!(!judge("relay.example", &["relay.example.org", "lay.example"], &[]));
    assert!(judge("192.0.2.1", &["relay.example"], &["192.0.2.1"]));
    assert!(judge("2001:db8::1", &[], &["2001:db8:0::1"]));
    assert!(!judge("192.0.2.1", &["192.0.2.1"], &["192.0.2.2"]), "an address as a DNS name");
    assert!(judge("RELAY.example", &[], &[]), "the CN, without a SAN");
    assert!(!judge("relay.example", &["other.example"], &[]), "the CN does not count beside a DNS name");
    assert!(!judge("relay.example", &[], &["192.0.2.1"]), "nor beside an address");
}

#[test]
fn the_cn_counts_only_when_single_and_plain() {
    let ca = TestCa::new("CA");
    let judge = |names: &[&str]| {
        let mut name = X509Name::builder().unwrap();
        for text in names {
            name.append_entry_by_nid(Nid::COMMONNAME, text).unwrap();
        }
        let name = name.build();
        ca.judge(&ca.issue(&|builder| builder.set_subject_name(&name).unwrap()))
    };
    assert_eq!(judge(&["relay.example"]), Ok(()));
    for wrong in [&["relay.example", "relay.example"][..], &["relay.example\0.evil"], &[]] {
        assert_eq!(judge(wrong), Err(Untrusted::WrongName), "{wrong:?}");
    }
}

#[test]
fn an_entry_revokes_whatever_its_reason() {
    let ca = TestCa::new("CA");
    let reason = |code: u8| {
        let value = tlv(4, &[vec![0x0a, 1, code]]);
        tlv(0x30, &[tlv(0x30, &[vec![6, 3, 0x55, 0x1d, 21], value])])
    };
    let with = |entry: Vec<u8>| ca.judge_crl(&ca.crl(&[time(NOW), time(NOW + DAY), entry]));
    assert_eq!(with(revoked(SERIAL, &[])), Err(Untrusted::Revoked));
    assert_eq!(with(revoked(SERIAL, &[reason(1)])), Err(Untrusted::Revoked));
    assert_eq!(with(revoked(SERIAL, &[reason(8)])), Err(Untrusted::Revoked), "removeFromCRL");
    assert_eq!(with(revoked(SERIAL + 1, &[])), Ok(()));
}

#[test]
fn a_crl_must_stand_itself() {
    let ca = TestCa::new("CA");
    let good = ca.good_crl();
    assert_eq!(ca.judge_crl(&good), Ok(()));
    assert_eq!(ca.judge_crl(&[]), Err(Untrusted::NoCrl));
    assert_eq!(ca.judge_crl(b"garbage"), Err(Untrusted::CrlUnreadable));
    assert_eq!(ca.judge_crl(&[good.as_slice(), &[0]].concat()), Err(Untrusted::CrlUnreadable));
    assert_eq!(ca.judge_crl(&TestCa::new("CA").good_crl()), Err(Untrusted::CrlForeign), "other key");
    let renamed = TestCa { key: ca.key.clone(), certificate: TestCa::new("Other").certificate };
    assert_eq!(ca.judge_crl(&renamed.good_crl()), Err(Untrusted::CrlForeign), "other issuer");
    let sha1 = ca.crl_with(MessageDigest::sha1(), &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1], &[time(NOW)]);
    assert_eq!(ca.judge_crl(&sha1), Err(Untrusted::CrlForeign), "SHA-1");
    assert_eq!(ca.judge_crl(&ca.crl(&[time(NOW - 2 * DAY), time(NOW - DAY)])), Err(Untrusted::CrlExpired));
    assert_eq!(ca.judge_crl(&ca.crl(&[time(NOW + DAY)])), Err(Untrusted::CrlNotYetValid));
    let seen = TrustAnchors { newest_crl_seen: NOW - DAY + 1, crl: None, ..ca.anchors() };
    let older = seen.verify(&ca.issue(&|_| ()), &good, NOW);
    assert_eq!(outcome(&older), Err(Untrusted::CrlOlder));
}

#[test]
fn deltas_and_indirect_crls_are_unusable() {
    let ca = TestCa::new("CA");
    let judge = |extension: Vec<u8>| ca.judge_crl(&ca.crl(&[time(NOW), time(NOW + DAY), extension]));
    let point = |fields: &[Vec<u8>]| tlv(0x30, fields);
    let unusable = Err(Untrusted::CrlUnreadable);
    for critical in [false, true] {
        assert_eq!(judge(extension(27, critical, vec![2, 1, 1])), unusable, "delta");
        assert_eq!(judge(extension(28, critical, point(&[vec![0x84, 1, 0xff]]))), unusable, "indirect");
        assert_eq!(judge(extension(28, critical, point(&[vec![0x82, 1, 0xff]]))), unusable, "CAs only");
        assert_eq!(judge(extension(28, critical, point(&[vec![0x81, 1, 0xff]]))), Ok(()), "users only");
    }
    assert_eq!(judge(extension(20, false, vec![2, 1, 7])), Ok(()), "a CRL number");
    assert_eq!(judge(extension(99, true, vec![5, 0])), unusable, "critical and unknown");
}

#[test]
fn a_ca_without_crl_sign_signs_none() {
    let (key, mut builder) = (p256(), builder("CA", 1));
    builder.set_issuer_name(&common_name("CA")).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
    builder.append_extension(KeyUsage::new().critical().key_cert_sign().build().unwrap()).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    let ca = TestCa { key, certificate: builder.build() };
    assert_eq!(ca.judge(&ca.issue(&|_| ())), Err(Untrusted::CrlForeign));
}

#[test]
fn the_newer_list_counts_and_an_unusable_one_is_passed_over() {
    let ca = TestCa::new("CA");
    let certificate = ca.issue(&|_| ());
    let clean = |at: u64| ca.crl(&[time(at), time(NOW + 2 * DAY)]);
    let revoking = |at: u64| ca.crl(&[time(at), time(NOW + 2 * DAY), revoked(SERIAL, &[])]);
    let judge = |file: Option<Vec<u8>>, relay: &[u8]| {
        TrustAnchors { crl: file, ..ca.anchors() }.verify(&certificate, relay, NOW)
    };
    let newest = |file: Option<Vec<u8>>, relay: &[u8]| {
        Some(TrustAnchors { crl: file, ..ca.anchors() }.newest_crl(relay, NOW)?.this_update)
    };
    let old = NOW - 2 * DAY;
    assert_eq!(
        outcome(&judge(Some(revoking(NOW)), &clean(old))),
        Err(Untrusted::Revoked),
        "withheld by the relay"
    );
    assert_eq!(
        outcome(&judge(Some(clean(old)), &revoking(NOW))),
        Err(Untrusted::Revoked),
        "brought by the relay"
    );
    assert_eq!(outcome(&judge(Some(revoking(old)), &clean(NOW))), Ok(()));

    let by_relay = judge(Some(b"garbage".to_vec()), &clean(NOW)).unwrap();
    assert_eq!(by_relay.warnings, [CertificateWarning::FileCrlUnusable(Untrusted::CrlUnreadable)]);
    let foreign = TestCa::new("CA").good_crl();
    let by_file = judge(Some(clean(old)), &foreign).unwrap();
    assert_eq!(newest(Some(clean(old)), &foreign), Some(old));
    assert_eq!(by_file.warnings, [CertificateWarning::RelayCrlUnusable(Untrusted::CrlForeign)]);
    assert_eq!(outcome(&judge(Some(b"garbage".to_vec()), &foreign)), Err(Untrusted::CrlForeign));
    let endless = judge(None, &ca.crl(&[time(NOW)])).unwrap();
    assert_eq!(endless.warnings, [CertificateWarning::CrlWithoutNextUpdate]);
}

#[test]
fn a_list_that_revokes_is_remembered() {
    let ca = TestCa::new("CA");
    let certificate = ca.issue(&|_| ());
    let clean = ca.crl(&[time(NOW - DAY), time(NOW + DAY)]);
    let revoking = ca.crl(&[time(NOW), time(NOW + DAY), revoked(SERIAL, &[])]);
    let mut anchors = TrustAnchors { crl: Some(clean.clone()), ..ca.anchors() };
    assert_eq!(outcome(&anchors.verify(&certificate, &revoking, NOW)), Err(Untrusted::Revoked));
    let newest = anchors.newest_crl(&revoking, NOW).unwrap();
    assert_eq!((newest.der.as_slice(), newest.this_update), (revoking.as_slice(), NOW));
    // Either half of what is kept is enough.
    anchors.newest_crl_seen = newest.this_update;
    for shown in [&clean[..], &[]] {
        assert_eq!(outcome(&anchors.verify(&certificate, shown, NOW)), Err(Untrusted::CrlOlder));
        assert_eq!(anchors.newest_crl(shown, NOW), None);
    }
    let anchors = TrustAnchors { crl: Some(newest.der), ..ca.anchors() };
    for shown in [&clean[..], &[]] {
        assert_eq!(outcome(&anchors.verify(&certificate, shown, NOW)), Err(Untrusted::Revoked));
    }
    // A list counts by itself, whatever certificate it comes with; one that is not genuine never does.
    assert_eq!(anchors.newest_crl(&TestCa::new("CA").good_crl(), NOW).unwrap().this_update, NOW);
    let none = TrustAnchors { crl: None, ..ca.anchors() };
    assert_eq!(none.newest_crl(&TestCa::new("CA").good_crl(), NOW), None);
    assert_eq!(none.newest_crl(&ca.crl(&[time(NOW + DAY)]), NOW), None, "from the future");
}
