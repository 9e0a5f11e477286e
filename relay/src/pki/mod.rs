//! A private CA, the certificates and the revocation lists that it signs. In memory only: [`crate::init`] and
//! [`crate::renewal`] have the files.

pub(crate) mod ca;
pub(crate) mod certificate;
pub(crate) mod crl;
pub(crate) mod host_name;

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;

/// The relay's certificate's life, in days.
pub(crate) const DAYS: u32 = 825;
/// The CRL's life, in days: how long a revocation may go unnoticed where no newer CRL arrives.
pub(crate) const CRL_DAYS: u32 = 30;

/// An hour before `now`: a client whose clock is behind must not find everything "not valid yet".
fn a_little_before(now: u64) -> u64 {
    const CLOCK_ERROR_SECONDS: u64 = 3_600;
    now.saturating_sub(CLOCK_ERROR_SECONDS)
}

/// So many days after `now`.
pub(crate) fn days_after(now: u64, days: u32) -> u64 {
    now.saturating_add(u64::from(days).saturating_mul(SECONDS_PER_DAY))
}

fn asn1_time(unix: u64) -> Result<Asn1Time, ErrorStack> {
    Asn1Time::from_unix(unix.try_into().unwrap_or(i64::MAX))
}

/// Unix seconds; times before 1970 count as 0.
pub(crate) fn unix_seconds(time: &Asn1TimeRef) -> Option<u64> {
    let since = Asn1Time::from_unix(0).ok()?.diff(time).ok()?;
    let days = i64::from(since.days).checked_mul(i64::try_from(SECONDS_PER_DAY).ok()?)?;
    Some(u64::try_from(days.checked_add(i64::from(since.secs))?).unwrap_or(0))
}

pub(crate) const SECONDS_PER_DAY: u64 = 24 * 60 * 60;
