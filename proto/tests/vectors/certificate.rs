//! What a client makes of certificates and CRLs (PROTOCOL.md §3).

use secchat_proto::crypto::certificate::{TrustAnchors, VerifiedCertificate};

use crate::people::Person;
use crate::pki::{
    Authority, Certificate, LATER, NOW, TODAY, TOMORROW, YESTERDAY, crl_extension, dns, extension, revoked,
    tlv,
};
use crate::vector_file::VectorFile;

const ABOUT: &str =
    "PROTOCOL.md §3: S1's certificate and CRL, the CRL on file, the configured CA and name, and what a client
makes of them at the time `now`. `stands` is 1 for a certificate that stands; our reason for a refusal and our
warnings are texts that only help to understand. `newest_crl_seen` is what was kept before, `newest_crl_kept` what is
kept after (0: nothing), whether the certificate stands or not.";

/// One judgement; each case changes what it is about.
struct Judgement {
    certificate: Vec<u8>,
    crl: Vec<u8>,
    crl_on_file: Vec<u8>,
    relay_name: &'static str,
    newest_crl_seen: u64,
    now: u64,
}

#[test]
fn certificate() {
    let mut file = VectorFile::new("certificate", ABOUT);
    let ca = Authority::new("secchat test key ca");
    certificates(&mut file, &ca);
    names(&mut file, &ca);
    lists(&mut file, &ca);
    unusable_lists(&mut file, &ca);
    file.check();
}

fn certificates(file: &mut VectorFile, ca: &Authority) {
    judge(file, ca, "good", good(ca));
    judge(file, ca, "not valid yet", Judgement { now: NOW - 2 * DAY, ..good(ca) });
    judge(file, ca, "expired", Judgement { now: NOW + DAY + 1, ..good(ca) });
    let namesake = Authority::new("secchat test key of another ca");
    let foreign = namesake.issue(7, &template(&key(), &Some(dns("relay.example")), Some(1)));
    judge(file, ca, "signed by another CA of the same name", Judgement { certificate: foreign, ..good(ca) });
    let without = ca.issue(7, &template(&key(), &Some(dns("relay.example")), None));
    judge(file, ca, "without EKU", Judgement { certificate: without, ..good(ca) });
    let client = ca.issue(7, &template(&key(), &Some(dns("relay.example")), Some(2)));
    judge(file, ca, "EKU of a client", Judgement { certificate: client, ..good(ca) });
    let mut flipped = good(ca);
    *flipped.certificate.last_mut().unwrap() ^= 1;
    judge(file, ca, "changed signature", flipped);
}

fn names(file: &mut VectorFile, ca: &Authority) {
    let mut case = |what: &str, alternative_names: Option<Vec<u8>>, relay_name: &'static str| {
        let certificate = ca.issue(7, &template(&key(), &alternative_names, Some(1)));
        judge(file, ca, what, Judgement { certificate, relay_name, ..good(ca) });
    };
    case("DNS name in other case", Some(dns("RELAY.Example")), "relay.example");
    case("another DNS name", Some(dns("other.example")), "relay.example");
    case("a wildcard", Some(dns("*.example")), "relay.example");
    case("CN without SAN", None, "relay.example");
    case("CN beside an address", Some(tlv(0x87, &[&[192, 0, 2, 1]])), "relay.example");
    case("IP address", Some(tlv(0x87, &[&[192, 0, 2, 1]])), "192.0.2.1");
    case("IP address as a DNS name", Some(dns("192.0.2.1")), "192.0.2.1");
}

fn lists(file: &mut VectorFile, ca: &Authority) {
    let clean = |this_update: &str| ca.crl(this_update, Some(LATER), &[]);
    let revoking = |this_update: &str| ca.crl(this_update, Some(LATER), &revoked(7, &[]));
    judge(file, ca, "no CRL at all", Judgement { crl: Vec::new(), ..good(ca) });
    judge(file, ca, "revoked", Judgement { crl: revoking(TODAY), ..good(ca) });
    let reason = tlv(0x30, &[&extension(&[0x55, 0x1d, 21], false, &[0x0a, 1, 8])]);
    let removed = ca.crl(TODAY, Some(LATER), &revoked(7, &reason));
    judge(file, ca, "revoked, removeFromCRL", Judgement { crl: removed, ..good(ca) });
    let other = ca.crl(TODAY, Some(LATER), &revoked(8, &[]));
    judge(file, ca, "another one is revoked", Judgement { crl: other, ..good(ca) });
    judge(file, ca, "CRL on file only", Judgement { crl: Vec::new(), crl_on_file: clean(TODAY), ..good(ca) });
    let withheld = Judgement { crl: clean(YESTERDAY), crl_on_file: revoking(TODAY), ..good(ca) };
    judge(file, ca, "revoked by the newer CRL, on file", withheld);
    let brought = Judgement { crl: revoking(TODAY), crl_on_file: clean(YESTERDAY), ..good(ca) };
    judge(file, ca, "revoked by the newer CRL, in S1", brought);
    let again = Judgement { crl: clean(YESTERDAY), newest_crl_seen: NOW - DAY / 2, ..good(ca) };
    judge(file, ca, "the older CRL once more, after one that revoked", again);
    let lifted = Judgement { crl: clean(TODAY), crl_on_file: revoking(YESTERDAY), ..good(ca) };
    judge(file, ca, "revoked by the older CRL only", lifted);
    judge(file, ca, "CRL without nextUpdate", Judgement { crl: ca.crl(TODAY, None, &[]), ..good(ca) });
}

fn unusable_lists(file: &mut VectorFile, ca: &Authority) {
    let mut only = |what: &str, crl: Vec<u8>| judge(file, ca, what, Judgement { crl, ..good(ca) });
    only("expired CRL", ca.crl("261120000000Z", Some(YESTERDAY), &[]));
    only("CRL from the future", ca.crl(TOMORROW, Some(LATER), &[]));
    only(
        "CRL of another CA of the same name",
        Authority::new("secchat test key of another ca").crl(TODAY, None, &[]),
    );
    only("delta CRL", ca.crl(TODAY, Some(LATER), &crl_extension(&[0x55, 0x1d, 27], true, &[2, 1, 1])));
    let indirect = tlv(0x30, &[&[0x84, 1, 0xff]]);
    only("indirect CRL", ca.crl(TODAY, Some(LATER), &crl_extension(&[0x55, 0x1d, 28], true, &indirect)));
    only("CRL that is none", vec![0x30, 3, 2, 1, 1]);
    let seen = Judgement { crl: ca.crl(YESTERDAY, Some(LATER), &[]), newest_crl_seen: NOW, ..good(ca) };
    judge(file, ca, "CRL older than one seen", seen);
    let passed_over = Judgement { crl_on_file: vec![0], ..good(ca) };
    judge(file, ca, "unusable CRL on file, good one in S1", passed_over);
    let passed_over = Judgement { crl: vec![0], crl_on_file: good(ca).crl, ..good(ca) };
    judge(file, ca, "unusable CRL in S1, good one on file", passed_over);
}

fn judge(file: &mut VectorFile, ca: &Authority, case: &str, judgement: Judgement) {
    let Judgement { certificate, crl, crl_on_file, relay_name, newest_crl_seen, now } = judgement;
    let anchors = TrustAnchors {
        ca_certificate: ca.certificate(),
        crl: (!crl_on_file.is_empty()).then(|| crl_on_file.clone()),
        relay_name: relay_name.to_owned(),
        newest_crl_seen,
    };
    file.begin(case).bytes("ca_certificate", &anchors.ca_certificate).bytes("crl_on_file", &crl_on_file);
    file.number("newest_crl_seen", newest_crl_seen).text("relay_name", relay_name).number("now", now);
    file.bytes("certificate", &certificate).bytes("crl", &crl);
    let newest = anchors.newest_crl(&crl, now).map_or(newest_crl_seen, |newest| newest.this_update);
    file.number("newest_crl_kept", newest);
    match anchors.verify(&certificate, &crl, now) {
        Ok(verified) => write_verified(file, &verified),
        Err(error) => file.number("stands", 0).text("reason", &error.to_string()),
    };
}

fn write_verified<'a>(file: &'a mut VectorFile, verified: &VerifiedCertificate) -> &'a mut VectorFile {
    file.number("stands", 1).bytes("spki", verified.public_key.as_der());
    for warning in &verified.warnings {
        file.text("warning", &format!("{warning:?}"));
    }
    file
}

fn good(ca: &Authority) -> Judgement {
    Judgement {
        certificate: ca.issue(7, &template(&key(), &Some(dns("relay.example")), Some(1))),
        crl: ca.crl(TODAY, Some(LATER), &[]),
        crl_on_file: Vec::new(),
        relay_name: "relay.example",
        newest_crl_seen: 0,
        now: NOW,
    }
}

fn template<'a>(spki: &'a [u8], names: &Option<Vec<u8>>, purpose: Option<u8>) -> Certificate<'a> {
    Certificate {
        spki,
        common_name: "relay.example",
        alternative_names: names.clone(),
        purpose,
        valid: (YESTERDAY, TOMORROW),
    }
}

fn key() -> Vec<u8> {
    Person::new("relay").key.public_key().as_der().to_vec()
}

const DAY: u64 = 24 * 60 * 60;
