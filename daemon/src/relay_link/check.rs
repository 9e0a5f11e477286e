//! What `secchatd check` looks at for the link: the CA's files with their dates, the clock, and the relay itself up to the
//! point where a user would log in.

use std::path::Path;

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::x509::{X509, X509Crl};
use secchat_ipc::paths::quoted;

use super::{LinkSettings, login, trust};
use crate::check::Finding;
use crate::state_folder;

/// Looks at all of it. Reads `state_folder` without its lock: a daemon may be running.
pub(crate) async fn run(settings: &LinkSettings, state_folder: &Path) -> Vec<Finding> {
    let files = trust::Files::of(settings);
    let ca = match files.ca() {
        Ok(ca) => ca,
        Err(why) => return vec![Finding::failed("ca", why, put("NEW-CA.pem", &settings.ca))],
    };
    let kept = state_folder::kept_crl(state_folder);
    let mut findings = ca_dates(settings, &ca);
    findings.extend(settings.crl.as_deref().map(|path| match files.crl(path) {
        Ok(crl) => crl_dates(&ca, &crl, path),
        Err(why) => Finding::failed("crl", why, put("NEW-CRL.pem", path)),
    }));
    if findings.iter().all(|finding| finding.check != "clock") {
        findings.push(Finding::good("clock", "no date of the CA's lies ahead"));
    }
    findings.push(relay(settings, files.read(kept, 0)).await);
    findings
}

fn ca_dates(settings: &LinkSettings, ca: &X509) -> Vec<Finding> {
    let (path, mend) = (settings.ca.display(), put("NEW-CA.pem", &settings.ca));
    if days_until(ca.not_before()) > 0 {
        let from = ca.not_before();
        return vec![Finding::failed(
            "clock",
            format!("the CA in {path} begins on {from}, which is not yet"),
            CLOCK,
        )];
    }
    let end = ca.not_after();
    vec![match days_until(end) {
        ..0 => {
            let found = format!("the CA in {path} ended on {end}: get the new one from the relay's operator");
            Finding::failed("ca", found, mend)
        }
        0..SOON_DAYS => {
            let found = format!("the CA in {path} ends on {end}: get the new one from the relay's operator");
            Finding::warning("ca", found, mend)
        }
        _ => Finding::good("ca", format!("{path} is valid until {end}")),
    }]
}

/// A list on file is a second one: the relay brings its own, so a bad one is no more than a warning.
fn crl_dates(ca: &X509, crl: &X509Crl, path: &Path) -> Finding {
    let (shown, mend) = (path.display(), put("NEW-CRL.pem", path));
    let is_signed = ca.public_key().and_then(|key| crl.verify(&key)).unwrap_or(false);
    if !is_signed {
        return Finding::failed("crl", format!("the revocation list {shown} is not from this CA"), mend);
    }
    if days_until(crl.last_update()) > 0 {
        let from = crl.last_update();
        return Finding::failed("clock", format!("the list {shown} is of {from}, which is not yet"), CLOCK);
    }
    match crl.next_update() {
        None => {
            Finding::warning("crl", format!("the revocation list {shown} has no end: get a newer one"), mend)
        }
        Some(end) if days_until(end) < 0 => {
            let found = format!("the revocation list {shown} ended on {end}, so only the relay's counts");
            Finding::warning("crl", found, mend)
        }
        Some(end) => Finding::good("crl", format!("{shown} is valid until {end}")),
    }
}

async fn relay(settings: &LinkSettings, anchors: Result<trust::Anchors, String>) -> Finding {
    let looked = match anchors {
        Ok(anchors) => login::look(settings, &anchors).await,
        Err(why) => Err((why, None)),
    };
    match looked {
        Ok(()) => Finding::good("relay", format!("{} answers, and its certificate is good", settings.relay)),
        Err((why, Some(untrusted))) => Finding::failed("relay", why, trust::mend(settings, untrusted)),
        Err((why, None)) => {
            let found = format!("{why}; where the address comes from");
            Finding::failed("relay", found, "secchatctl config show --origin")
        }
    }
}

/// Whole days from now; below zero when it is over, one more for a part of a day ahead.
fn days_until(time: &Asn1TimeRef) -> i32 {
    let now = Asn1Time::days_from_now(0);
    let distance = now.and_then(|now| now.diff(time));
    // What OpenSSL cannot compare is no date: as good as over.
    distance.map_or(-1, |distance| distance.days + distance.secs.signum())
}

pub(super) fn put(new: &str, path: &Path) -> String {
    format!("install -m 644 {new} {}", quoted(path))
}

/// What sets the clock.
pub(super) const CLOCK: &str = "sudo timedatectl set-ntp true";
/// A certificate that ends sooner than this is worth a word: its operator gets the same 30 days.
const SOON_DAYS: i32 = 30;
