//! `cert renew`: a new certificate, and by `--new-key` a new key, in place of the old.

use std::fmt::Write as _;
use std::path::Path;

use openssl::pkey::{PKey, Private, Public};
use openssl::x509::X509;
use secchat_proto::crypto::certificate::TrustAnchors;
use zeroize::Zeroizing;

use super::authority::Authority;
use super::{PUBLIC_MODE, RenewalError, read_certificate};
use crate::cli::CertRenew;
use crate::config::Config;
use crate::credentials::load_key;
use crate::dates;
use crate::pki::certificate::{issue, names};
use crate::pki::host_name::{self, HostName};
use crate::pki::{self, SECONDS_PER_DAY, crl, unix_seconds};
use crate::replacement::{FolderLock, Replacement, folder_of};

/// What takes the place of the old.
struct New {
    certificate: X509,
    /// Its key, where that is new too.
    key: Option<PKey<Private>>,
    names: Vec<HostName>,
    days: u32,
    /// The key on file was not the old certificate's.
    mends: bool,
}

/// Makes a new certificate, and a new key if that is asked; gives what to print.
pub(super) fn renew(arguments: &CertRenew, now: u64) -> Result<String, RenewalError> {
    let config = Config::find(arguments.ca_files.config.as_deref())?;
    let path = arguments.certificate.clone().unwrap_or_else(|| config.certificate.clone());
    let key_path = arguments.key.clone().unwrap_or_else(|| config.key.clone());
    let old = read_certificate(&path, "relay's certificate", "--certificate")?;
    let folder = folder_of(&path);
    let _lock =
        FolderLock::take(folder).map_err(|error| RenewalError::Write { path: folder.to_owned(), error })?;
    let authority = Authority::load(&arguments.ca_files)?;
    let new = make(arguments, &authority, (&old, &path, &key_path), now)?;
    judge(&new, &authority, now)?;
    let kept = path.with_added_extension("old");
    put_in_place(&new, &old, (&path, &kept, &key_path))?;
    Ok(report(&new, &old, (&path, &kept, &key_path), now))
}

fn make(
    arguments: &CertRenew,
    authority: &Authority,
    (old, path, key_path): (&X509, &Path, &Path),
    now: u64,
) -> Result<New, RenewalError> {
    let names = if arguments.names.is_empty() {
        names(old)
    } else {
        let parse = |name: &String| HostName::parse(name).ok_or_else(|| RenewalError::Name(name.clone()));
        arguments.names.iter().map(parse).collect::<Result<_, _>>()?
    };
    if names.is_empty() {
        return Err(RenewalError::NoNames { certificate: path.to_owned() });
    }
    let days = days(arguments.days, authority, now)?;
    let key = if arguments.new_key { Some(PKey::generate_ed25519()?) } else { None };
    let public = match &key {
        Some(key) => public_of(key)?,
        None if key_path.exists() => public_of(&load_key(key_path)?)?,
        // The key is on another machine; the certificate has all of it that is needed.
        None => old.public_key()?,
    };
    let mends = key.is_none() && !old.public_key().is_ok_and(|had| had.public_eq(&public));
    let certificate = issue(&authority.ca, &public, (old.subject_name(), &names), (now, days))?;
    Ok(New { certificate, key, names, days, mends })
}

fn public_of(key: &PKey<Private>) -> Result<PKey<Public>, RenewalError> {
    Ok(PKey::public_key_from_der(&key.public_key_to_der()?)?)
}

/// How long the certificate lives: no longer than its CA.
fn days(asked: Option<u32>, authority: &Authority, now: u64) -> Result<u32, RenewalError> {
    let until = unix_seconds(authority.ca.certificate.not_after()).unwrap_or_default();
    let left = u32::try_from(until.saturating_sub(now) / SECONDS_PER_DAY).unwrap_or(u32::MAX);
    let ends = |advice| RenewalError::CaEnds { ca: authority.path.clone(), until: dates::day(until), advice };
    match asked {
        _ if left == 0 => Err(ends(
            "make a new one with `secchat-relay init --dir NEW`, and hand its ca.pem to everybody".to_owned(),
        )),
        Some(asked) if asked > left => Err(ends(format!("ask for --days {left} at most"))),
        Some(asked) => Ok(asked),
        None => Ok(left.min(pki::DAYS)),
    }
}

/// Whether a client would take it, as far as that is not up to the list on file.
fn judge(new: &New, authority: &Authority, now: u64) -> Result<(), RenewalError> {
    let empty = crl::first(&authority.ca, (now, 1))?;
    let anchors = TrustAnchors {
        ca_certificate: authority.ca.certificate.to_der()?,
        crl: None,
        relay_name: new.names.first().map(ToString::to_string).unwrap_or_default(),
        newest_crl_seen: 0,
    };
    let verified = anchors.verify(&new.certificate.to_der()?, &empty.to_der()?, now);
    verified.map(drop).map_err(|cause| RenewalError::Refused { cause, ca: authority.path.clone() })
}

/// Writes everything beside its place, then puts it there. Between key and certificate a running relay finds two that
/// do not belong together, and keeps what it has.
fn put_in_place(
    new: &New,
    old: &X509,
    (path, kept, key_path): (&Path, &Path, &Path),
) -> Result<(), RenewalError> {
    const SECRET_MODE: u32 = 0o600;
    let prepare = |path: &Path, pem: &[u8], mode| {
        Replacement::prepare(path, pem, mode)
            .map_err(|error| RenewalError::Write { path: path.to_owned(), error })
    };
    let commit = |path: &Path, new: Replacement| {
        new.commit().map_err(|error| RenewalError::Write { path: path.to_owned(), error })
    };
    let keeping = prepare(kept, &old.to_pem()?, PUBLIC_MODE)?;
    let certificate = prepare(path, &new.certificate.to_pem()?, PUBLIC_MODE)?;
    let Some(key) = &new.key else {
        commit(kept, keeping)?;
        return commit(path, certificate);
    };
    let pem = Zeroizing::new(key.private_key_to_pem_pkcs8()?);
    let key = prepare(key_path, &pem, SECRET_MODE)?;
    let undo = std::fs::read(key_path).ok().map(Zeroizing::new);
    let undo = undo.map(|old| prepare(key_path, &old, SECRET_MODE)).transpose()?;
    commit(kept, keeping)?;
    commit(key_path, key)?;
    commit(path, certificate).inspect_err(|_| {
        // If this fails as well, the error that led here still says which file is the old one.
        let _ = undo.map(Replacement::commit);
    })
}

fn report(new: &New, old: &X509, (path, kept, key_path): (&Path, &Path, &Path), now: u64) -> String {
    let until = unix_seconds(new.certificate.not_after()).unwrap_or(now);
    let mut text = format!(
        "{} is new: for {}, good for {} days, until {}.\n{} is the old one, serial {}.\n",
        path.display(),
        host_name::list(&new.names),
        new.days,
        dates::day(until),
        kept.display(),
        crl::serial_text(old.serial_number()),
    );
    if new.mends {
        let _ =
            writeln!(text, "The old one was not the certificate of {}; the new one is.", key_path.display());
    }
    text += "A running relay takes it in by itself.\n";
    if new.key.is_some() {
        let _ = write!(
            text,
            "{} is new as well. A relay that gets its key from systemd must be started again: \
             systemctl restart secchat-relay\nIf anybody else may have the old key, revoke its certificate:\n  \
             secchat-relay cert revoke --certificate {}\n",
            key_path.display(),
            kept.display(),
        );
    }
    text
}
