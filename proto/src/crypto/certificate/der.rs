//! The little DER that OpenSSL's safe interface does not show: how something was signed, and a CRL's extensions.

/// A DER element: tag and content.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
}

/// The elements in a row; ends early at bytes that are none.
#[derive(Clone)]
pub(super) struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    pub(super) fn of(content: &'a [u8]) -> Self {
        Self(content)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..0x80 => (usize::from(first), rest),
            _ => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                if digits.is_empty() || digits.len() > MAX_LENGTH_BYTES {
                    return None;
                }
                (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
            }
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(Element { tag, content })
    }
}

/// Whether a certificate or CRL (`SEQUENCE { what is signed, algorithm, signature }`) is signed with SHA-256 or better.
/// That the algorithm inside says the same is checked by OpenSSL.
pub(super) fn is_signed_strongly(der: &[u8]) -> bool {
    let whole = Elements::of(der).next().map(|whole| whole.content).unwrap_or_default();
    let algorithm = Elements::of(whole).nth(1).map(|algorithm| algorithm.content).unwrap_or_default();
    let mut parts = Elements::of(algorithm);
    match parts.next().map(|oid| oid.content) {
        Some(RSA_PSS) => parts.next().and_then(pss_hash).is_some_and(|hash| STRONG_HASHES.contains(&hash)),
        Some(oid) => STRONG_SIGNATURES.contains(&oid),
        None => false,
    }
}

/// `RSASSA-PSS-params ::= SEQUENCE { [0] hashAlgorithm … }`; absent, it is SHA-1.
fn pss_hash(parameters: Element<'_>) -> Option<&[u8]> {
    let hash = Elements::of(parameters.content).find(|part| part.tag == 0xa0)?;
    let algorithm = Elements::of(hash.content).next()?;
    Elements::of(algorithm.content).next().map(|oid| oid.content)
}

/// Whether a CRL is a whole and direct one: no delta, not indirect, not of some reasons or kinds only, and nothing
/// critical that we do not know.
pub(super) fn is_complete_crl(der: &[u8]) -> bool {
    let whole = Elements::of(der).next().map(|whole| whole.content).unwrap_or_default();
    let signed = Elements::of(whole).next().map(|signed| signed.content).unwrap_or_default();
    let extensions = Elements::of(signed).find(|part| part.tag == 0xa0);
    let list = extensions.and_then(|extensions| Elements::of(extensions.content).next());
    list.is_none_or(|list| Elements::of(list.content).all(is_harmless))
}

/// `Extension ::= SEQUENCE { OID, critical BOOLEAN DEFAULT FALSE, OCTET STRING }`.
fn is_harmless(extension: Element<'_>) -> bool {
    let mut parts = Elements::of(extension.content);
    let oid = parts.next().map(|oid| oid.content).unwrap_or_default();
    let critical = parts.clone().any(|part| part.tag == 0x01);
    let value = parts.find(|part| part.tag == 0x04).map(|value| value.content).unwrap_or_default();
    match oid {
        DELTA_CRL_INDICATOR => false,
        ISSUING_DISTRIBUTION_POINT => Elements::of(value).next().is_some_and(|point| {
            let names_only =
                |part: Element<'_>| matches!(part.tag, DISTRIBUTION_POINT | ONLY_USER_CERTIFICATES);
            Elements::of(point.content).all(names_only)
        }),
        _ => !critical,
    }
}

/// Longest length of a length: four bytes hold more than any frame.
const MAX_LENGTH_BYTES: usize = 4;

/// 1.2.840.113549.1.1.10.
const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
/// SHA-256, SHA-384, SHA-512 with RSA and with ECDSA; Ed25519, Ed448.
const STRONG_SIGNATURES: [&[u8]; 8] = [
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13],
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2],
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3],
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4],
    &[0x2b, 0x65, 0x70],
    &[0x2b, 0x65, 0x71],
];
/// SHA-256, SHA-384, SHA-512: 2.16.840.1.101.3.4.2.1 to 3.
const STRONG_HASHES: [&[u8]; 3] = [
    &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1],
    &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2],
    &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3],
];
/// 2.5.29.27 (RFC 5280 §5.2.4).
const DELTA_CRL_INDICATOR: &[u8] = &[0x55, 0x1d, 27];
/// 2.5.29.28 (RFC 5280 §5.2.5), and the fields that leave a CRL complete for a relay's certificate.
const ISSUING_DISTRIBUTION_POINT: &[u8] = &[0x55, 0x1d, 28];
const DISTRIBUTION_POINT: u8 = 0xa0;
const ONLY_USER_CERTIFICATES: u8 = 0x81;

#[cfg(test)]
mod tests {
    use super::{Element, Elements};

    #[test]
    fn hostile_lengths_end_the_list() {
        for hostile in [
            &[][..],
            &[0x30],
            &[0x30, 5, 0],
            &[0x30, 0x80],
            &[0x30, 0x81],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0],
            &[0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0],
        ] {
            assert!(Elements::of(hostile).next().is_none(), "{hostile:x?}");
        }
    }

    #[test]
    fn splits_elements_with_short_and_long_lengths() {
        let long = [&[4, 0x81, 0x80][..], &[7; 0x80]].concat();
        let row = [&[2, 1, 9][..], &long, &[5, 0]].concat();
        let tags: Vec<(u8, usize)> =
            Elements::of(&row).map(|Element { tag, content }| (tag, content.len())).collect();
        assert_eq!(tags, [(2, 1), (4, 0x80), (5, 0)]);
    }
}
