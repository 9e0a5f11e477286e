//! Certificates, CRLs and keys, good and bad, made as a test wants them.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::{HasPublic, PKey, PKeyRef, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name};
use tempfile::TempDir;

/// A certificate authority.
#[derive(Clone, Debug)]
pub struct Ca {
    key: PKey<Private>,
    certificate: X509,
}

/// How a relay's certificate is made.
#[derive(Clone, Debug)]
pub struct CertificateSpec {
    /// Its DNS name; 127.0.0.1 is in it as well when this is "localhost".
    pub name: &'static str,
    /// Its serial number.
    pub serial: u32,
    /// From when it is valid, in seconds from now.
    pub from: i64,
    /// Until when it is valid, in seconds from now.
    pub until: i64,
}

/// How a CRL is made.
#[derive(Clone, Debug)]
pub struct CrlSpec {
    /// `thisUpdate`, in seconds from now.
    pub this_update: i64,
    /// `nextUpdate`, in seconds from now, if it has one.
    pub next_update: Option<i64>,
    /// The serial numbers it revokes.
    pub revoked: Vec<u32>,
}

/// A relay's folder: key, certificate, CA, CRL and user_list.
#[derive(Debug)]
pub struct Pki {
    dir: TempDir,
    /// The authority behind the certificate.
    pub ca: Ca,
    key: PKey<Private>,
}

impl Default for CertificateSpec {
    fn default() -> Self {
        Self { name: "localhost", serial: 7, from: -DAY, until: 30 * DAY }
    }
}

impl Default for CrlSpec {
    fn default() -> Self {
        Self { this_update: -DAY, next_update: Some(30 * DAY), revoked: Vec::new() }
    }
}

/// Unix seconds.
///
/// # Panics
/// When the clock is before 1970.
#[must_use]
pub fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("clock").as_secs()
}

/// base64 of a key's DER SubjectPublicKeyInfo, as in a user_list.
///
/// # Panics
/// When OpenSSL fails.
#[must_use]
pub fn public_key_base64(key: &PKeyRef<impl HasPublic>) -> String {
    openssl::base64::encode_block(&key.public_key_to_der().expect("SPKI"))
}

impl Ca {
    /// An authority of this name.
    ///
    /// # Panics
    /// When OpenSSL fails.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self::valid(name, -DAY, 3650 * DAY)
    }

    /// An authority that is valid from and until these seconds from now.
    ///
    /// # Panics
    /// When OpenSSL fails.
    #[must_use]
    pub fn valid(name: &str, from: i64, until: i64) -> Self {
        let key = PKey::from_rsa(Rsa::generate(2048).expect("RSA")).expect("key");
        let mut builder = builder(&common_name(name), 1, (from, until));
        builder.set_issuer_name(&common_name(name)).expect("issuer");
        builder.set_pubkey(&key).expect("key");
        builder.append_extension(BasicConstraints::new().critical().ca().build().expect("CA")).expect("CA");
        let usage = KeyUsage::new().critical().key_cert_sign().crl_sign().build().expect("usage");
        builder.append_extension(usage).expect("usage");
        builder.sign(&key, MessageDigest::sha256()).expect("signature");
        Self { key, certificate: builder.build() }
    }

    /// Its certificate in PEM.
    ///
    /// # Panics
    /// When OpenSSL fails.
    #[must_use]
    pub fn pem(&self) -> Vec<u8> {
        self.certificate.to_pem().expect("PEM")
    }

    /// Its key in PEM.
    ///
    /// # Panics
    /// When OpenSSL fails.
    #[must_use]
    pub fn key_pem(&self) -> Vec<u8> {
        self.key.private_key_to_pem_pkcs8().expect("PEM")
    }

    /// A relay's certificate in PEM.
    ///
    /// # Panics
    /// When OpenSSL fails.
    #[must_use]
    pub fn issue(&self, key: &PKeyRef<Private>, spec: &CertificateSpec) -> Vec<u8> {
        let mut builder = builder(&common_name(spec.name), spec.serial, (spec.from, spec.until));
        builder.set_issuer_name(self.certificate.subject_name()).expect("issuer");
        builder.set_pubkey(key).expect("key");
        let mut names = SubjectAlternativeName::new();
        names.dns(spec.name);
        if spec.name == "localhost" {
            names.ip("127.0.0.1");
        }
        let names = names.build(&builder.x509v3_context(Some(&self.certificate), None)).expect("SAN");
        builder.append_extension(names).expect("SAN");
        let usage = ExtendedKeyUsage::new().server_auth().build().expect("EKU");
        builder.append_extension(usage).expect("EKU");
        builder.sign(&self.key, MessageDigest::sha256()).expect("signature");
        builder.build().to_pem().expect("PEM")
    }

    /// A CRL in PEM. Its DER is built by hand: OpenSSL's command line always sets nextUpdate, and the crate has no
    /// builder at all.
    ///
    /// # Panics
    /// When OpenSSL fails.
    #[must_use]
    pub fn crl(&self, spec: &CrlSpec) -> Vec<u8> {
        let issuer = self.certificate.subject_name().to_der().expect("issuer");
        let mut tbs =
            [tlv(0x02, &[1]), SHA256_WITH_RSA.to_vec(), issuer, utc_time(spec.this_update)].concat();
        if let Some(next_update) = spec.next_update {
            tbs.extend(utc_time(next_update));
        }
        let revoked: Vec<u8> = spec
            .revoked
            .iter()
            .flat_map(|serial| {
                tlv(0x30, &[tlv(0x02, &positive(*serial)), utc_time(spec.this_update)].concat())
            })
            .collect();
        if !revoked.is_empty() {
            tbs.extend(tlv(0x30, &revoked));
        }
        let tbs = tlv(0x30, &tbs);
        let mut signer = Signer::new(MessageDigest::sha256(), &self.key).expect("signer");
        let signature = signer.sign_oneshot_to_vec(&tbs).expect("signature");
        let signature = tlv(0x03, &[vec![0], signature].concat());
        let der = tlv(0x30, &[tbs, SHA256_WITH_RSA.to_vec(), signature].concat());
        openssl::x509::X509Crl::from_der(&der).expect("a CRL").to_pem().expect("PEM")
    }
}

impl Pki {
    /// Everything as it should be, for a relay called localhost, with no users.
    ///
    /// # Panics
    /// When OpenSSL or the file system fails.
    #[must_use]
    pub fn new() -> Self {
        let key = PKey::generate_ed25519().expect("key");
        let pki = Self { dir: temp_dir(), ca: Ca::new("Test CA"), key };
        let pem = pki.key.private_key_to_pem_pkcs8().expect("PEM");
        write_private(&pki.path("relay-key.pem"), &pem);
        pki.write("ca.pem", &pki.ca.pem());
        pki.write_certificate(&CertificateSpec::default());
        pki.write_crl(&CrlSpec::default());
        pki.write("user_list", b"");
        pki
    }

    /// Writes a configuration, which the command line goes before.
    pub fn write_config(&self, more: &str) {
        self.write("relay.toml", format!("listen = \"127.0.0.1:0\"\n{more}").as_bytes());
    }

    /// A file of the relay's.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file of the relay's.
    ///
    /// # Panics
    /// When the file system fails.
    pub fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).expect("file");
    }

    /// The relay's certificate key.
    #[must_use]
    pub fn key(&self) -> &PKeyRef<Private> {
        &self.key
    }

    /// Makes the relay's certificate anew.
    pub fn write_certificate(&self, spec: &CertificateSpec) {
        self.write("relay.pem", &self.ca.issue(&self.key, spec));
    }

    /// Makes the CRL anew.
    pub fn write_crl(&self, spec: &CrlSpec) {
        self.write("crl.pem", &self.ca.crl(spec));
    }

    /// Writes the user_list: who, with which key.
    pub fn write_user_list<'a>(&self, users: impl IntoIterator<Item = (&'a str, &'a PKey<Private>)>) {
        let lines: String =
            users.into_iter().map(|(name, key)| format!("{name} {}\n", public_key_base64(key))).collect();
        self.write("user_list", lines.as_bytes());
    }
}

impl Default for Pki {
    fn default() -> Self {
        Self::new()
    }
}

/// A short path, because a socket's may have 107 bytes.
pub(crate) fn temp_dir() -> TempDir {
    tempfile::Builder::new().prefix("sc-").rand_bytes(8).tempdir_in("/tmp").expect("temporary folder")
}

/// Writes a file that only its owner may read.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let _ = std::fs::remove_file(path);
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).expect("file");
    file.write_all(bytes).expect("file");
}

fn builder(subject: &X509Name, serial: u32, (from, until): (i64, i64)) -> X509Builder {
    let mut builder = X509Builder::new().expect("builder");
    builder.set_version(2).expect("version");
    let serial = Asn1Integer::from_bn(&BigNum::from_u32(serial).expect("serial")).expect("serial");
    builder.set_serial_number(&serial).expect("serial");
    builder.set_subject_name(subject).expect("subject");
    builder.set_not_before(&Asn1Time::from_unix(from_now(from)).expect("time")).expect("time");
    builder.set_not_after(&Asn1Time::from_unix(from_now(until)).expect("time")).expect("time");
    builder
}

fn common_name(name: &str) -> X509Name {
    let mut builder = X509Name::builder().expect("name");
    builder.append_entry_by_text("CN", name).expect("name");
    builder.build()
}

fn from_now(seconds: i64) -> i64 {
    i64::try_from(unix_now()).expect("time") + seconds
}

/// UTCTime.
fn utc_time(seconds_from_now: i64) -> Vec<u8> {
    let text = rfc5280_utc(from_now(seconds_from_now));
    tlv(0x17, text.as_bytes())
}

/// `YYMMDDhhmmssZ` of Unix seconds (civil date by Hinnant's algorithm).
fn rfc5280_utc(unix: i64) -> String {
    let (days, second_of_day) = (unix.div_euclid(DAY), unix.rem_euclid(DAY));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
    format!("{:02}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z", year % 100)
}

/// One DER element.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = vec![tag];
    match u8::try_from(length) {
        Ok(short @ 0..=127) => out.push(short),
        Ok(long) => out.extend([0x81, long]),
        Err(_) => {
            out.push(0x82);
            out.extend(u16::try_from(length).expect("short DER").to_be_bytes());
        }
    }
    out.extend_from_slice(content);
    out
}

/// An INTEGER's content: without leading zeros, but for the sign.
fn positive(number: u32) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(3);
    let mut content = bytes[first..].to_vec();
    if content[0] >= 0x80 {
        content.insert(0, 0);
    }
    content
}

/// Seconds.
const DAY: i64 = 86_400;

/// AlgorithmIdentifier of sha256WithRSAEncryption (RFC 4055).
const SHA256_WITH_RSA: [u8; 15] =
    [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crls_are_the_cas_and_say_what_was_asked() {
        let ca = Ca::new("Test CA");
        for (spec, has_next_update) in [
            (CrlSpec { revoked: vec![7, 200], ..CrlSpec::default() }, true),
            (CrlSpec { next_update: None, ..CrlSpec::default() }, false),
        ] {
            let crl = openssl::x509::X509Crl::from_pem(&ca.crl(&spec)).unwrap();
            assert!(crl.verify(&ca.key).unwrap());
            assert_eq!(crl.next_update().is_some(), has_next_update);
            assert!(crl.last_update() < Asn1Time::days_from_now(0).unwrap());
            assert_eq!(crl.get_revoked().map_or(0, |revoked| revoked.iter().count()), spec.revoked.len());
        }
    }

    #[test]
    fn dates_are_written_as_rfc_5280_has_them() {
        for (unix, text) in
            [(0, "700101000000Z"), (951_827_696, "000229123456Z"), (1_795_650_905, "261125235505Z")]
        {
            assert_eq!(rfc5280_utc(unix), text);
        }
    }
}
