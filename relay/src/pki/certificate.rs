//! A relay's certificate: for whom it is, and a new one.

use openssl::asn1::Asn1Integer;
use openssl::bn::{BigNum, MsbOption};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{HasPublic, PKeyRef};
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name, X509NameBuilder, X509NameRef};

use super::ca::Ca;
use super::host_name::HostName;
use super::{a_little_before, asn1_time, days_after};

/// Makes a certificate of `key`, called `subject`, for a relay that is reached by `names`, good for some days.
pub(crate) fn issue(
    ca: &Ca,
    key: &PKeyRef<impl HasPublic>,
    (subject, names): (&X509NameRef, &[HostName]),
    (now, days): (u64, u32),
) -> Result<X509, ErrorStack> {
    let mut builder = begin(ca.certificate.subject_name(), subject, key, (now, days))?;
    builder.append_extension(BasicConstraints::new().critical().build()?)?;
    builder.append_extension(KeyUsage::new().critical().digital_signature().build()?)?;
    builder.append_extension(ExtendedKeyUsage::new().server_auth().build()?)?;
    let mut alternatives = SubjectAlternativeName::new();
    for name in names {
        match name {
            HostName::Dns(name) => alternatives.dns(name),
            HostName::Ip(address) => alternatives.ip(&address.to_string()),
        };
    }
    let alternatives = alternatives.build(&builder.x509v3_context(Some(&ca.certificate), None))?;
    builder.append_extension(alternatives)?;
    builder.append_extension(ca.authority_key()?)?;
    builder.sign(&ca.key, ca.digest())?;
    Ok(builder.build())
}

/// What a certificate of `init` is called. The names are in the SAN; a common name has room for 64 characters only.
pub(crate) fn subject() -> Result<X509Name, ErrorStack> {
    common_name("secchat relay")
}

/// The names that a certificate is for, as clients read them: the SAN's, or the common name where it has none.
pub(crate) fn names(certificate: &X509) -> Vec<HostName> {
    let alternatives = certificate.subject_alt_names();
    let names: Vec<_> = alternatives.iter().flatten().filter_map(HostName::of).collect();
    let has_hosts = || {
        let mut names = alternatives.iter().flatten();
        names.any(|name| name.dnsname().is_some() || name.ipaddress().is_some())
    };
    if !names.is_empty() || has_hosts() {
        return names;
    }
    let mut common = certificate.subject_name().entries_by_nid(Nid::COMMONNAME);
    match (common.next(), common.next()) {
        (Some(name), None) => {
            name.data().to_string().ok().and_then(|name| HostName::parse(&name)).into_iter().collect()
        }
        (_, _) => Vec::new(),
    }
}

pub(super) fn common_name(name: &str) -> Result<X509Name, ErrorStack> {
    let mut builder = X509NameBuilder::new()?;
    builder.append_entry_by_text("CN", name)?;
    Ok(builder.build())
}

pub(super) fn begin(
    issuer: &X509NameRef,
    subject: &X509NameRef,
    key: &PKeyRef<impl HasPublic>,
    (now, days): (u64, u32),
) -> Result<X509Builder, ErrorStack> {
    const X509_V3: i32 = 2;
    const SERIAL_BITS: i32 = 127;
    let mut builder = X509Builder::new()?;
    builder.set_version(X509_V3)?;
    let mut serial = BigNum::new()?;
    serial.rand(SERIAL_BITS, MsbOption::ONE, false)?;
    let serial: Asn1Integer = serial.to_asn1_integer()?;
    builder.set_serial_number(&serial)?;
    builder.set_issuer_name(issuer)?;
    builder.set_subject_name(subject)?;
    builder.set_pubkey(key)?;
    let (from, until) = (asn1_time(a_little_before(now))?, asn1_time(days_after(now, days))?);
    builder.set_not_before(&from)?;
    builder.set_not_after(&until)?;
    Ok(builder)
}
