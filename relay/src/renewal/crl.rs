//! `cert revoke` and `crl refresh`: the CA's next list, with one entry more or with the same.

use std::path::Path;

use openssl::asn1::{Asn1Integer, Asn1IntegerRef};
use openssl::x509::{CrlStatus, X509, X509Crl};

use super::authority::Authority;
use super::{NextCrlError, PUBLIC_MODE, RenewalError, crl_of, read_certificate, read_crl};
use crate::cli::{CertRevoke, CrlRefresh};
use crate::config::Config;
use crate::dates;
use crate::limits::MAX_CREDENTIALS_BYTES;
use crate::pki::{self, crl, unix_seconds};
use crate::replacement::{FolderLock, Replacement, folder_of};

/// Revokes a certificate; gives what to print.
pub(super) fn revoke(arguments: &CertRevoke, now: u64) -> Result<String, RenewalError> {
    let config = Config::find(arguments.ca_files.config.as_deref())?;
    let path = crl_of(&config, arguments.crl.as_deref());
    let _lock = lock(&path)?;
    let old = read_crl(&path)?;
    let authority = Authority::load(&arguments.ca_files)?;
    check_issued(&old, &path, &authority)?;
    let serial = serial(arguments, &authority)?;
    let shown = crl::serial_text(&serial);
    if let Some(since) = revoked_since(&old, &serial) {
        return Ok(format!("Serial {shown} has been revoked since {since}: nothing was changed.\n"));
    }
    let in_force = in_force(&config.certificate);
    if !arguments.force && in_force.as_ref().is_some_and(|used| is_same(used.serial_number(), &serial)) {
        return Err(RenewalError::InForce { certificate: config.certificate });
    }
    let life = (now, arguments.days.unwrap_or(pki::CRL_DAYS));
    let new = next(&old, Some(&serial), (&path, &authority), life)?;
    write(&new, &path, in_force.as_ref())?;
    Ok(format!("Serial {shown} is revoked.\n{}", report(&new, &path, life)))
}

/// Makes the list anew; gives what to print.
pub(super) fn refresh(arguments: &CrlRefresh, now: u64) -> Result<String, RenewalError> {
    let config = Config::find(arguments.ca_files.config.as_deref())?;
    let path = crl_of(&config, arguments.crl.as_deref());
    let _lock = lock(&path)?;
    let life = (now, arguments.days.unwrap_or(pki::CRL_DAYS));
    let new = if arguments.new {
        if path.symlink_metadata().is_ok() {
            return Err(RenewalError::CrlExists { path });
        }
        crl::first(&Authority::load(&arguments.ca_files)?.ca, life)?
    } else {
        let old = read_crl(&path)?;
        let authority = Authority::load(&arguments.ca_files)?;
        check_issued(&old, &path, &authority)?;
        next(&old, None, (&path, &authority), life)?
    };
    write(&new, &path, in_force(&config.certificate).as_ref())?;
    Ok(report(&new, &path, life))
}

fn lock(path: &Path) -> Result<FolderLock, RenewalError> {
    let folder = folder_of(path);
    FolderLock::take(folder).map_err(|error| RenewalError::Write { path: folder.to_owned(), error })
}

fn check_issued(old: &X509Crl, path: &Path, authority: &Authority) -> Result<(), RenewalError> {
    let certificate = &authority.ca.certificate;
    let is_named = old.issuer_name().try_cmp(certificate.subject_name())?.is_eq();
    if is_named && old.verify(&authority.ca.key).unwrap_or(false) {
        return Ok(());
    }
    Err(RenewalError::CrlForeign { crl: path.to_owned(), ca: authority.path.clone() })
}

/// The number that is meant, of a certificate of this CA.
fn serial(arguments: &CertRevoke, authority: &Authority) -> Result<Asn1Integer, RenewalError> {
    let Some(path) = &arguments.certificate else {
        let text = arguments.serial.as_deref().unwrap_or_default();
        return crl::parse_serial(text).ok_or_else(|| RenewalError::Serial(text.to_owned()));
    };
    let certificate = read_certificate(path, "certificate", "--certificate")?;
    let ca = &authority.ca;
    let is_named = certificate.issuer_name().try_cmp(ca.certificate.subject_name())?.is_eq();
    if !is_named || !certificate.verify(&ca.key).unwrap_or(false) {
        return Err(RenewalError::NotIssued { certificate: path.clone(), ca: authority.path.clone() });
    }
    Ok(certificate.serial_number().to_owned()?)
}

fn revoked_since(list: &X509Crl, serial: &Asn1IntegerRef) -> Option<String> {
    match list.get_by_serial(serial) {
        CrlStatus::NotRevoked => None,
        CrlStatus::Revoked(entry) | CrlStatus::RemoveFromCrl(entry) => {
            Some(dates::day(unix_seconds(entry.revocation_date()).unwrap_or_default()))
        }
    }
}

/// The relay's certificate, where it is at hand.
fn in_force(path: &Path) -> Option<X509> {
    X509::from_pem(&std::fs::read(path).ok()?).ok()
}

fn is_same(one: &Asn1IntegerRef, other: &Asn1IntegerRef) -> bool {
    one.to_bn().is_ok_and(|one| other.to_bn().is_ok_and(|other| one == other))
}

fn next(
    old: &X509Crl,
    revoked: Option<&Asn1IntegerRef>,
    (path, authority): (&Path, &Authority),
    life: (u64, u32),
) -> Result<X509Crl, RenewalError> {
    crl::next(old, revoked, &authority.ca, life)
        .map_err(|error| RenewalError::Next { crl: path.to_owned(), error: NextCrlError::from(error) })
}

fn write(new: &X509Crl, path: &Path, in_force: Option<&X509>) -> Result<(), RenewalError> {
    let bytes = new.to_der()?.len();
    let certificate = in_force.and_then(|used| used.to_der().ok()).map_or(0, |der| der.len());
    let limit = MAX_CREDENTIALS_BYTES.saturating_sub(certificate);
    if bytes > limit {
        return Err(RenewalError::CrlTooLong { crl: path.to_owned(), bytes, limit });
    }
    let at = |error| RenewalError::Write { path: path.to_owned(), error };
    Replacement::prepare(path, &new.to_pem()?, PUBLIC_MODE).map_err(at)?.commit().map_err(at)
}

fn report(new: &X509Crl, path: &Path, (now, days): (u64, u32)) -> String {
    let until = new.next_update().and_then(unix_seconds).unwrap_or(now);
    let entries = new.get_revoked().map_or(0, openssl::stack::StackRef::len);
    format!(
        "{} is number {}, with {entries} {}, good for {days} days, until {}.\n\
         A running relay takes it in by itself, and hands it to everybody who logs in.\n",
        path.display(),
        crl::number(new).unwrap_or_default(),
        if entries == 1 { "entry" } else { "entries" },
        dates::day(until),
    )
}
