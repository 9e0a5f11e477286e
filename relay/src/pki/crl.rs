//! A CA's revocation list: the first one, and the next of one.

use openssl::asn1::{Asn1Integer, Asn1IntegerRef, Asn1Object, Asn1OctetString};
use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::x509::{CrlNumber, X509Crl, X509CrlBuilder, X509Extension, X509RevokedBuilder};

use super::ca::Ca;
use super::{a_little_before, asn1_time, days_after, unix_seconds};

/// Why there is no next list.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NextError {
    /// The clock is behind the list's.
    #[error("is from the future: this machine's clock is behind, or that of the one that made it was ahead")]
    Future,
    /// OpenSSL refuses.
    #[error("has no next one: {0}")]
    Crypto(#[from] ErrorStack),
}

/// The first list of a CA: it revokes nothing.
pub(crate) fn first(ca: &Ca, (now, days): (u64, u32)) -> Result<X509Crl, ErrorStack> {
    make(begin(ca, a_little_before(now), days_after(now, days))?, ca, &BigNum::from_u32(1)?)
}

/// The list after `old`: newer, with its entries, and `revoked` as well.
pub(crate) fn next(
    old: &X509Crl,
    revoked: Option<&Asn1IntegerRef>,
    ca: &Ca,
    (now, days): (u64, u32),
) -> Result<X509Crl, NextError> {
    // Clients take none that is older than one that they have seen, and of two from the same second either.
    let last = unix_seconds(old.last_update()).unwrap_or_default();
    let this_update = a_little_before(now).max(last.saturating_add(1));
    if this_update > now.saturating_add(CLOCK_ERROR_SECONDS) {
        return Err(NextError::Future);
    }
    let mut builder = begin(ca, this_update, days_after(now, days))?;
    for entry in old.get_revoked().into_iter().flatten() {
        builder.add_revoked(entry.to_owned()?)?;
    }
    if let Some(serial) = revoked {
        let mut entry = X509RevokedBuilder::new()?;
        entry.set_serial_number(serial)?;
        let date = asn1_time(now)?;
        entry.set_revocation_date(&date)?;
        builder.add_revoked(entry.build())?;
    }
    builder.sort()?;
    // A list of version 1, as `openssl ca` makes it, has no number: its next one is the first that has.
    let number = old.extension::<CrlNumber>()?.map(|(_, number)| number.to_bn()).transpose()?;
    let mut number = number.map_or_else(BigNum::new, Ok)?;
    number.add_word(1)?;
    Ok(make(builder, ca, &number)?)
}

/// Its number, in decimal, if it has one.
pub(crate) fn number(list: &X509Crl) -> Option<String> {
    let (_, number) = list.extension::<CrlNumber>().ok()??;
    Some(number.to_bn().ok()?.to_dec_str().ok()?.to_string())
}

fn begin(ca: &Ca, this_update: u64, next_update: u64) -> Result<X509CrlBuilder, ErrorStack> {
    let mut builder = X509CrlBuilder::new()?;
    builder.set_issuer_name(ca.certificate.subject_name())?;
    let (this_update, next_update) = (asn1_time(this_update)?, asn1_time(next_update)?);
    builder.set_last_update(&this_update)?;
    builder.set_next_update(&next_update)?;
    builder.append_extension(ca.authority_key()?)?;
    Ok(builder)
}

fn make(mut builder: X509CrlBuilder, ca: &Ca, number: &BigNum) -> Result<X509Crl, ErrorStack> {
    let number = Asn1OctetString::new_from_bytes(&der_integer(number))?;
    let crl_number = Asn1Object::from_str(CRL_NUMBER)?;
    builder.append_extension(X509Extension::new_from_der(&crl_number, false, &number)?)?;
    builder.sign(&ca.key, ca.digest())?;
    builder.build()
}

/// A DER INTEGER of a number that is not negative, with at most 20 bytes (RFC 5280 §5.2.3).
fn der_integer(number: &BigNum) -> Vec<u8> {
    const TAG: u8 = 2;
    let mut content = number.to_vec();
    if content.first().is_none_or(|first| *first >= 0x80) {
        content.insert(0, 0);
    }
    let mut der = vec![TAG, u8::try_from(content.len()).unwrap_or(u8::MAX)];
    der.append(&mut content);
    der
}

/// A serial number in hexadecimal, with or without `0x` and colons, as OpenSSL prints it.
pub(crate) fn parse_serial(text: &str) -> Option<Asn1Integer> {
    /// RFC 5280 §4.1.2.2.
    const MAX_BYTES: usize = 20;
    let digits: String =
        text.strip_prefix("0x").unwrap_or(text).chars().filter(|digit| *digit != ':').collect();
    let is_hex = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = is_hex.then(|| BigNum::from_hex_str(&digits).ok()).flatten()?;
    let bytes = usize::try_from(number.num_bytes()).ok()?;
    (1..=MAX_BYTES).contains(&bytes).then(|| number.to_asn1_integer().ok()).flatten()
}

/// A serial number as OpenSSL prints it.
pub(crate) fn serial_text(serial: &Asn1IntegerRef) -> String {
    let hex = serial.to_bn().and_then(|number| number.to_hex_str().map(|hex| hex.to_string()));
    hex.unwrap_or_else(|_| "?".to_owned())
}

/// How far ahead the last list may be: one that was made in this second, on a clock a little ahead.
const CLOCK_ERROR_SECONDS: u64 = 60;
/// The cRLNumber extension (RFC 5280 §5.2.3).
const CRL_NUMBER: &str = "2.5.29.20";

#[cfg(test)]
mod tests {
    use openssl::bn::BigNum;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    #[test]
    fn the_next_list_is_newer_and_says_more() {
        let ca = Ca::make(NOW).unwrap();
        let serial = parse_serial("0x0F:ff").unwrap();
        let first = first(&ca, (NOW, 30)).unwrap();
        assert_eq!(number(&first).as_deref(), Some("1"));
        let mut list = next(&first, Some(&serial), &ca, (NOW, 30)).unwrap();
        for _ in 0..300 {
            list = next(&list, None, &ca, (NOW, 30)).unwrap();
        }
        assert_eq!(number(&list).as_deref(), Some("302"));
        assert_eq!(unix_seconds(list.last_update()), Some(NOW - 3_600 + 301));
        assert_eq!(unix_seconds(list.next_update().unwrap()), Some(NOW + 30 * 86_400));
        let entries: Vec<_> =
            list.get_revoked().unwrap().iter().map(|entry| serial_text(entry.serial_number())).collect();
        assert_eq!(entries, ["0FFF"]);
        assert!(list.verify(&ca.key).unwrap());
        assert!(matches!(next(&list, None, &ca, (NOW - 86_400, 30)), Err(NextError::Future)));
    }

    #[test]
    fn numbers_are_der() {
        for (number, der) in
            [(0, vec![2, 1, 0]), (1, vec![2, 1, 1]), (128, vec![2, 2, 0, 128]), (256, vec![2, 2, 1, 0])]
        {
            assert_eq!(der_integer(&BigNum::from_u32(number).unwrap()), der);
        }
    }

    #[test]
    fn serial_numbers_are_hexadecimal() {
        for bad in ["", "0x", "xyz", "-1", "0", "12 34", &"f".repeat(41)] {
            assert!(parse_serial(bad).is_none(), "{bad}");
        }
        assert_eq!(serial_text(&parse_serial(&"f".repeat(40)).unwrap()), "F".repeat(40));
    }
}
