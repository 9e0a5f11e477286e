//! Certificates and CRLs signed with Ed25519, so that they are the same at every run. Their DER is built by hand:
//! OpenSSL's builder of CRLs makes none without nextUpdate.

use openssl::pkey::{Id, PKey};
use openssl::sign::Signer;

use crate::vector_file::bytes_of;

/// The moment that the vectors take place in, Unix seconds: 25 November 2026, 00:00 UTC.
pub(crate) const NOW: u64 = 1_795_564_800;
/// Some days around it, as DER writes them.
pub(crate) const YESTERDAY: &str = "261124000000Z";
pub(crate) const TODAY: &str = "261125000000Z";
pub(crate) const TOMORROW: &str = "261126000000Z";
pub(crate) const LATER: &str = "261127000000Z";

/// An authority of the name `secchat test CA`.
pub(crate) struct Authority {
    pub(crate) seed: Vec<u8>,
}

/// How a relay's certificate is made.
pub(crate) struct Certificate<'a> {
    pub(crate) spki: &'a [u8],
    pub(crate) common_name: &'a str,
    /// The content of the SAN, if there is one.
    pub(crate) alternative_names: Option<Vec<u8>>,
    /// The last arc of an EKU 1.3.6.1.5.5.7.3, if there is one.
    pub(crate) purpose: Option<u8>,
    pub(crate) valid: (&'a str, &'a str),
}

impl Authority {
    pub(crate) fn new(text: &str) -> Self {
        Self { seed: bytes_of(text, 32) }
    }

    pub(crate) fn certificate(&self) -> Vec<u8> {
        let spki = PKey::private_key_from_raw_bytes(&self.seed, Id::ED25519).unwrap();
        let constraints = extension(&[0x55, 0x1d, 19], true, &tlv(0x30, &[&[1, 1, 0xff]]));
        // keyCertSign and cRLSign.
        let usage = extension(&[0x55, 0x1d, 15], true, &[3, 2, 1, 6]);
        self.sign_certificate(&[
            &tlv(2, &[&[1]]),
            ED25519,
            &name(CA_NAME),
            &tlv(0x30, &[&time("250101000000Z"), &time("351231235959Z")]),
            &name(CA_NAME),
            &spki.public_key_to_der().unwrap(),
            &extensions(&[constraints, usage]),
        ])
    }

    pub(crate) fn issue(&self, serial: u8, what: &Certificate<'_>) -> Vec<u8> {
        let mut list = Vec::new();
        if let Some(names) = &what.alternative_names {
            list.push(extension(&[0x55, 0x1d, 17], false, &tlv(0x30, &[names])));
        }
        if let Some(arc) = what.purpose {
            let oid = tlv(6, &[&[0x2b, 6, 1, 5, 5, 7, 3, arc]]);
            list.push(extension(&[0x55, 0x1d, 37], false, &tlv(0x30, &[&oid])));
        }
        self.sign_certificate(&[
            &tlv(2, &[&[serial]]),
            ED25519,
            &name(CA_NAME),
            &tlv(0x30, &[&time(what.valid.0), &time(what.valid.1)]),
            &name(what.common_name),
            what.spki,
            &if list.is_empty() { Vec::new() } else { extensions(&list) },
        ])
    }

    /// A CRL with the entries and extensions that `rest` holds.
    pub(crate) fn crl(&self, this_update: &str, next_update: Option<&str>, rest: &[u8]) -> Vec<u8> {
        let next_update = next_update.map(time).unwrap_or_default();
        self.sign(&tlv(0x30, &[&[2, 1, 1], ED25519, &name(CA_NAME), &time(this_update), &next_update, rest]))
    }

    fn sign_certificate(&self, parts: &[&[u8]]) -> Vec<u8> {
        let version = [0xa0, 3, 2, 1, 2];
        self.sign(&tlv(0x30, &[&version, &parts.concat()]))
    }

    fn sign(&self, signed: &[u8]) -> Vec<u8> {
        let key = PKey::private_key_from_raw_bytes(&self.seed, Id::ED25519).unwrap();
        let signature = Signer::new_without_digest(&key).unwrap().sign_oneshot_to_vec(signed).unwrap();
        tlv(0x30, &[signed, ED25519, &tlv(3, &[&[0], &signature])])
    }
}

/// A dNSName.
pub(crate) fn dns(name: &str) -> Vec<u8> {
    tlv(0x82, &[name.as_bytes()])
}

/// A CRL's list of one entry: serial, revocation date, and its extensions.
pub(crate) fn revoked(serial: u8, entry_extensions: &[u8]) -> Vec<u8> {
    tlv(0x30, &[&tlv(0x30, &[&tlv(2, &[&[serial]]), &time(YESTERDAY), entry_extensions])])
}

/// A CRL's extensions: the one of this OID.
pub(crate) fn crl_extension(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    tlv(0xa0, &[&tlv(0x30, &[&extension(oid, critical, value)])])
}

/// `Extension ::= SEQUENCE { OID, critical, OCTET STRING }`.
pub(crate) fn extension(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[1, 1, 0xff] } else { &[] };
    tlv(0x30, &[&tlv(6, &[oid]), critical, &tlv(4, &[value])])
}

/// A DER element.
pub(crate) fn tlv(tag: u8, content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    let length = match u8::try_from(content.len()) {
        Ok(short @ 0..0x80) => vec![short],
        Ok(long) => vec![0x81, long],
        Err(_) => [&[0x82][..], &u16::try_from(content.len()).unwrap().to_be_bytes()].concat(),
    };
    [vec![tag], length, content].concat()
}

fn extensions(list: &[Vec<u8>]) -> Vec<u8> {
    tlv(0xa3, &[&tlv(0x30, &[&list.concat()])])
}

fn name(common_name: &str) -> Vec<u8> {
    let attribute = tlv(0x30, &[&[6, 3, 0x55, 4, 3], &tlv(0x0c, &[common_name.as_bytes()])]);
    tlv(0x30, &[&tlv(0x31, &[&attribute])])
}

fn time(text: &str) -> Vec<u8> {
    tlv(0x17, &[text.as_bytes()])
}

const CA_NAME: &str = "secchat test CA";
/// `AlgorithmIdentifier` of Ed25519 (RFC 8410).
const ED25519: &[u8] = &[0x30, 5, 6, 3, 0x2b, 0x65, 0x70];
