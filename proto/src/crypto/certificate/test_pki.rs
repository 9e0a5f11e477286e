//! Certificates and CRLs, good and bad, made as a test wants them.

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;
use openssl::x509::extension::{BasicConstraints, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name};

use super::TrustAnchors;

/// 25 November 2026.
pub(crate) const NOW: u64 = 1_795_564_800;
pub(crate) const DAY: u64 = 24 * 60 * 60;
pub(crate) const SERIAL: u32 = 4242;

pub(crate) struct TestCa {
    pub(crate) key: PKey<Private>,
    pub(crate) certificate: X509,
}

impl TestCa {
    pub(crate) fn new(name: &str) -> Self {
        let key = p256();
        let mut builder = builder(name, 1);
        builder.set_issuer_name(&common_name(name)).unwrap();
        builder.set_pubkey(&key).unwrap();
        add_ca_extensions(&mut builder);
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        Self { key, certificate: builder.build() }
    }

    /// A CA that `self` signed.
    pub(crate) fn intermediate(&self) -> Self {
        let key = p256();
        let mut builder = builder("Intermediate", 2);
        builder.set_issuer_name(self.certificate.subject_name()).unwrap();
        builder.set_pubkey(&key).unwrap();
        add_ca_extensions(&mut builder);
        builder.sign(&self.key, MessageDigest::sha256()).unwrap();
        Self { key, certificate: builder.build() }
    }

    pub(crate) fn issue(&self, change: &dyn Fn(&mut X509Builder)) -> Vec<u8> {
        self.issue_with(MessageDigest::sha256(), change)
    }

    pub(crate) fn issue_with(&self, digest: MessageDigest, change: &dyn Fn(&mut X509Builder)) -> Vec<u8> {
        let mut builder = builder("relay.example", SERIAL);
        builder.set_issuer_name(self.certificate.subject_name()).unwrap();
        builder.set_pubkey(&PKey::generate_ed25519().unwrap()).unwrap();
        change(&mut builder);
        builder.sign(&self.key, digest).unwrap();
        builder.build().to_der().unwrap()
    }

    /// Signs `SEQUENCE { version, algorithm, issuer, rest… }`.
    pub(crate) fn crl(&self, rest: &[Vec<u8>]) -> Vec<u8> {
        self.crl_with(MessageDigest::sha256(), &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2], rest)
    }

    pub(crate) fn crl_with(&self, digest: MessageDigest, oid: &[u8], rest: &[Vec<u8>]) -> Vec<u8> {
        let issuer = self.certificate.subject_name().to_der().unwrap();
        let algorithm = tlv(0x30, &[tlv(6, &[oid.to_vec()])]);
        let tbs = tlv(0x30, &[tlv(2, &[vec![1]]), algorithm.clone(), issuer, rest.concat()]);
        let signature = Signer::new(digest, &self.key).unwrap().sign_oneshot_to_vec(&tbs).unwrap();
        tlv(0x30, &[tbs, algorithm, tlv(3, &[vec![0], signature])])
    }

    pub(crate) fn good_crl(&self) -> Vec<u8> {
        self.crl(&[time(NOW - DAY), time(NOW + DAY)])
    }

    pub(crate) fn anchors(&self) -> TrustAnchors {
        TrustAnchors {
            ca_certificate: self.certificate.to_der().unwrap(),
            crl: Some(self.good_crl()),
            relay_name: "relay.example".to_owned(),
            newest_crl_seen: 0,
        }
    }
}

pub(crate) fn p256() -> PKey<Private> {
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&curve).unwrap()).unwrap()
}

pub(crate) fn common_name(name: &str) -> X509Name {
    let mut builder = X509Name::builder().unwrap();
    builder.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
    builder.build()
}

pub(crate) fn asn1(unix: u64) -> Asn1Time {
    Asn1Time::from_unix(unix.try_into().unwrap()).unwrap()
}

pub(crate) fn builder(name: &str, serial: u32) -> X509Builder {
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&Asn1Integer::from_bn(&BigNum::from_u32(serial).unwrap()).unwrap()).unwrap();
    builder.set_subject_name(&common_name(name)).unwrap();
    builder.set_not_before(&asn1(NOW - DAY)).unwrap();
    builder.set_not_after(&asn1(NOW + DAY)).unwrap();
    builder
}

pub(crate) fn add_ca_extensions(builder: &mut X509Builder) {
    builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
    let usage = KeyUsage::new().critical().key_cert_sign().crl_sign().build().unwrap();
    builder.append_extension(usage).unwrap();
}

pub(crate) fn add_san(builder: &mut X509Builder, dns: &[&str], ip: &[&str]) {
    let mut names = SubjectAlternativeName::new();
    dns.iter().for_each(|name| {
        names.dns(name);
    });
    ip.iter().for_each(|address| {
        names.ip(address);
    });
    let names = names.build(&builder.x509v3_context(None, None)).unwrap();
    builder.append_extension(names).unwrap();
}

/// A DER element.
pub(crate) fn tlv(tag: u8, content: &[Vec<u8>]) -> Vec<u8> {
    let content = content.concat();
    let length = match u8::try_from(content.len()) {
        Ok(short @ 0..0x80) => vec![short],
        Ok(long) => vec![0x81, long],
        Err(_) => [&[0x82][..], &u16::try_from(content.len()).unwrap().to_be_bytes()].concat(),
    };
    [vec![tag], length, content].concat()
}

/// Midnight of a day around [`NOW`].
pub(crate) fn time(unix: u64) -> Vec<u8> {
    let day = unix / DAY + 25 - NOW / DAY;
    assert!(unix.is_multiple_of(DAY) && (1..=30).contains(&day));
    tlv(0x17, &[format!("2611{day:02}000000Z").into_bytes()])
}
