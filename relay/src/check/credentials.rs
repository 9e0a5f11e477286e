//! Key, certificate and CRL: each by itself, against each other, and as a client would judge them.

use std::path::Path;

use openssl::x509::{CrlStatus, X509, X509Crl, X509ExtendedKeyUsage};
use secchat_proto::crypto::certificate::TrustAnchors;
use secchat_proto::crypto::signature::{KeyKind, PublicKey};

use super::Report;
use crate::config::Config;
use crate::credentials::{CredentialsError, Found};
use crate::dates::{Dates, Reminders, Subject, Validity, day};
use crate::pki::certificate::names;
use crate::pki::{crl, host_name};

/// What could be read.
struct Files<'a> {
    config: &'a Config,
    found: Found,
    crl: Option<(X509Crl, Vec<u8>)>,
    dates: Dates,
    now: u64,
}

/// Looks over the three files, and with the CA's certificate over what it signed.
pub(super) fn check(report: &mut Report, (config, mut found): (&Config, Found), ca: Option<&Path>, now: u64) {
    let before = report.errors.len();
    found.errors.iter().for_each(|error| report.error(error));
    let crl = found.crl.take().and_then(|der| X509Crl::from_der(&der).ok().map(|crl| (crl, der)));
    drop(openssl::error::ErrorStack::get());
    let der = |file: Option<&Vec<u8>>| file.cloned().unwrap_or_default();
    let certificate = der(found.certificate.as_ref().map(|file| &file.1));
    let dates = Dates::of(&certificate, &der(crl.as_ref().map(|file| &file.1)));
    report.note_dates(&dates, now);
    let files = Files { config, found, crl, dates, now };
    files.check_key(report);
    files.check_certificate(report);
    files.check_crl(report);
    if let Some(ca) = ca {
        files.check_by_ca(report, ca, before);
    }
    files.check_ends(report);
}

impl Files<'_> {
    fn check_key(&self, report: &mut Report) {
        let Some(key) = &self.found.key else { return };
        let kind = match key.public_key().kind() {
            KeyKind::Ed25519 => "Ed25519".to_owned(),
            KeyKind::Rsa { bits } => format!("RSA of {bits} bits"),
        };
        report.fine.push(format!("{}: no errors, {kind}", self.config.key.display()));
    }

    fn check_certificate(&self, report: &mut Report) {
        let Some((certificate, _)) = &self.found.certificate else { return };
        let before = report.errors.len();
        let path = self.config.certificate.display();
        report.check_rights(&self.config.certificate, "whoever may write it can keep everybody out");
        let public = certificate.public_key().and_then(|key| key.public_key_to_der());
        if !public.is_ok_and(|public| PublicKey::from_der(&public).is_ok()) {
            report.error(format!(
                "{path}: clients refuse the kind or size of its key: Ed25519 is permitted, and RSA of 2048 to 4096 \
                 bits; make another with `secchat-relay cert renew --new-key`"
            ));
        }
        let usage = certificate.extended_key_usage();
        if usage.is_some_and(|usage| !usage.contains(X509ExtendedKeyUsage::SSL_SERVER)) {
            report.error(format!("{path} is not for a server: its extended key usage lacks serverAuth"));
        }
        let names = names(certificate);
        if names.is_empty() {
            report.error(format!(
                "{path} is for no name that a client would take: it needs a subjectAltName with the relay's; \
                 `secchat-relay cert renew --name HOST` makes one"
            ));
        } else if certificate.subject_alt_names().is_none() {
            report.warnings.push(format!("{path} has no subjectAltName: clients go by its common name"));
        }
        let remedy = "`secchat-relay cert renew` makes a new one";
        report.check_validity(&path.to_string(), self.dates.certificate, (remedy, self.now));
        let is_another_keys = |error: &CredentialsError| matches!(error, CredentialsError::Mismatch { .. });
        if report.errors.len() == before && !self.found.errors.iter().any(is_another_keys) {
            let life = self.dates.certificate.map(|validity| self.life(validity)).unwrap_or_default();
            report.fine.push(format!("{path}: no errors, for {}{life}", host_name::list(&names)));
        }
    }

    fn check_crl(&self, report: &mut Report) {
        let Some(path) = &self.config.crl else {
            report.warnings.push(
                "there is no CRL: only clients that have one of their own will log in; give `crl` in the configuration"
                    .to_owned(),
            );
            return;
        };
        let Some((list, _)) = &self.crl else { return };
        let before = report.errors.len();
        report.check_rights(path, "whoever may write it can keep everybody out");
        let path = path.display();
        if let Some((certificate, _)) = &self.found.certificate {
            let is_named =
                list.issuer_name().try_cmp(certificate.issuer_name()).is_ok_and(|order| order.is_eq());
            if !is_named {
                let certificate = self.config.certificate.display();
                report.error(format!(
                    "{path} is another CA's list than that of {certificate}: clients refuse it"
                ));
            } else if !matches!(list.get_by_serial(certificate.serial_number()), CrlStatus::NotRevoked) {
                report.error(format!(
                    "{path} revokes {}: nobody can log in; `secchat-relay cert renew --new-key` makes another",
                    self.config.certificate.display()
                ));
            }
        }
        match self.dates.crl {
            Some(validity) => {
                let remedy = "`secchat-relay crl refresh` makes a new one";
                report.check_validity(&path.to_string(), Some(validity), (remedy, self.now));
            }
            None => report.warnings.push(format!(
                "{path} has no nextUpdate: clients cannot tell when it is stale; `secchat-relay crl refresh` gives it one"
            )),
        }
        if report.errors.len() == before {
            let life = self.dates.crl.map(|validity| self.life(validity)).unwrap_or_default();
            let count = list.get_revoked().map_or(0, openssl::stack::StackRef::len);
            let number = crl::number(list).unwrap_or_else(|| "none".to_owned());
            report.fine.push(format!("{path}: no errors, number {number}, entries {count}{life}"));
        }
    }

    /// What only the CA's key can tell: whose signatures these are. Last, whatever else a client would say.
    fn check_by_ca(&self, report: &mut Report, path: &Path, before: usize) {
        let ca = match load_ca(path) {
            Ok(ca) => ca,
            Err(error) => return report.error(error),
        };
        let Ok(key) = ca.0.public_key() else { return };
        let shown = path.display();
        let mut is_signed = true;
        if let Some((certificate, _)) = &self.found.certificate
            && !certificate.verify(&key).unwrap_or(false)
        {
            is_signed = false;
            let certificate = self.config.certificate.display();
            report.error(format!(
                "{certificate} was not signed by the CA in {shown}: who trusts that refuses it"
            ));
        }
        if let Some((list, _)) = &self.crl
            && !list.verify(&key).unwrap_or(false)
        {
            is_signed = false;
            let crl = self.config.crl.clone().unwrap_or_default();
            report.error(format!(
                "{} was not signed by the CA in {shown}: who trusts that refuses it",
                crl.display()
            ));
        }
        drop(openssl::error::ErrorStack::get());
        let (Some((certificate, der)), Some((_, crl))) = (&self.found.certificate, &self.crl) else { return };
        let Some(name) = names(certificate).first().map(ToString::to_string) else { return };
        if is_signed && report.errors.len() == before {
            let anchors =
                TrustAnchors { ca_certificate: ca.1, crl: None, relay_name: name, newest_crl_seen: 0 };
            match anchors.verify(der, crl, self.now) {
                Ok(_) => {
                    report.fine.push(format!("{shown}: who trusts it takes the relay's certificate and CRL"))
                }
                Err(cause) => report.error(format!("{shown}: who trusts it refuses the relay: {cause}")),
            }
        }
    }

    fn check_ends(&self, report: &mut Report) {
        for reminder in Reminders::default().due(&self.dates, self.now) {
            let file = match reminder.subject {
                Subject::Certificate => Some(&self.config.certificate),
                Subject::Crl => self.config.crl.as_ref(),
            };
            // One that has ended is an error already.
            if let Some(file) = file.filter(|_| reminder.left_seconds > 0) {
                report.warnings.push(format!("{}: {reminder}", file.display()));
            }
        }
    }

    fn life(&self, validity: Validity) -> String {
        format!(", {} days left, until {}", validity.days_left(self.now), day(validity.until))
    }
}

impl Report {
    fn check_validity(&mut self, file: &str, validity: Option<Validity>, (remedy, now): (&str, u64)) {
        let Some(validity) = validity else { return };
        if validity.is_over(now) {
            self.error(format!("{file} has ended on {}: clients refuse it; {remedy}", day(validity.until)));
        } else if validity.from > now {
            let from = day(validity.from);
            self.error(format!(
                "{file} is not valid until {from}: clients refuse it; is this machine's clock right?"
            ));
        }
    }
}

fn load_ca(path: &Path) -> Result<(X509, Vec<u8>), CredentialsError> {
    const WHAT: &str = "CA's certificate";
    let pem = std::fs::read(path).map_err(|error| CredentialsError::File {
        path: path.to_owned(),
        error,
        what: WHAT,
        flag: "--ca",
    })?;
    let certificate = X509::from_pem(&pem).and_then(|parsed| parsed.to_der().map(|der| (parsed, der)));
    certificate.map_err(|_| CredentialsError::Unreadable { path: path.to_owned(), what: WHAT })
}
