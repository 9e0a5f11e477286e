//! Single values of the configuration: text to meaning, or a sentence that says what is expected.

use secchat_proto::UserName;
use secchat_proto::crypto::kem::{Suite, Suites};

/// Where the relay is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayAddress {
    /// A DNS name or an IP address, without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

impl std::fmt::Display for RelayAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

pub(super) fn user_name(text: &String) -> Result<UserName, String> {
    UserName::parse(text.as_bytes()).map_err(|_| {
        "a user's name is 1 to 32 of a-z 0-9 . _ - and starts with a letter or a digit".to_owned()
    })
}

pub(super) fn relay_address(text: &String) -> Result<RelayAddress, String> {
    let parsed = text.rsplit_once(':').and_then(|(host, port)| {
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let host = match bare {
            Some(v6) => v6.parse::<std::net::Ipv6Addr>().ok().map(|_| v6)?,
            None => Some(host).filter(|host| fits_host(host))?,
        };
        let port = port.parse::<u16>().ok().filter(|port| *port != 0)?;
        Some(RelayAddress { host: host.to_owned(), port })
    });
    parsed.ok_or_else(|| {
        format!("{text:?} is not HOST:PORT, as in \"relay.example.org:4711\" or \"[::1]:4711\"")
    })
}

pub(super) fn relay_name(text: &String) -> Result<String, String> {
    if fits_host(text) || text.parse::<std::net::IpAddr>().is_ok() {
        Ok(text.clone())
    } else {
        Err(format!("{text:?} is neither a DNS name nor an IP address"))
    }
}

pub(super) fn suites(names: &[String]) -> Result<Suites, String> {
    let suites = names
        .iter()
        .map(|name| match name.as_str() {
            "rsa3072" => Ok(Suite::Rsa3072),
            "x25519mlkem768" => Ok(Suite::X25519MlKem768),
            other => Err(format!("{other:?} is no suite: x25519mlkem768 and rsa3072 are")),
        })
        .collect::<Result<Vec<_>, _>>()?;
    Suites::new(suites).ok_or_else(|| "a list of suites is not empty and names none twice".to_owned())
}

pub(super) fn within<T>(number: u64, least: T, most: T) -> Result<T, String>
where
    T: TryFrom<u64> + PartialOrd + Copy + std::fmt::Display,
{
    T::try_from(number)
        .ok()
        .filter(|n| (least..=most).contains(n))
        .ok_or_else(|| format!("{number} is out of range: {least} to {most} is allowed"))
}

fn fits_host(host: &str) -> bool {
    !host.is_empty()
        && host.len() <= MAX_HOST_BYTES
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

/// Bytes of a DNS name at most (RFC 1035 §2.3.4).
const MAX_HOST_BYTES: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_host_and_port() {
        let good = [
            ("localhost:4711", "localhost", 4711),
            ("10.0.0.1:1", "10.0.0.1", 1),
            ("[::1]:65535", "::1", 65_535),
        ];
        for (text, host, port) in good {
            let address = relay_address(&text.to_owned()).unwrap();
            assert_eq!(address, RelayAddress { host: host.to_owned(), port });
            assert_eq!(address.to_string(), text);
        }
        for text in ["", "host", ":1", "host:", "host:0", "host:65536", "::1:4711", "[x]:1", "a b:1", "h:1:2"]
        {
            assert!(relay_address(&text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn suites_are_known_and_single() {
        let list = |names: &[&str]| suites(&names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
        assert_eq!(list(&["x25519mlkem768", "rsa3072"]).unwrap(), Suites::for_link());
        for names in [&[][..], &["rsa3072", "rsa3072"], &["rsa"], &["X25519MLKEM768"]] {
            assert!(list(names).is_err(), "{names:?}");
        }
    }

    #[test]
    fn numbers_have_a_range() {
        assert_eq!(within(5, 1_usize, 5), Ok(5));
        assert!(within(0, 1_usize, 5).is_err());
        assert!(within(6, 1_usize, 5).unwrap_err().contains("1 to 5"));
        assert!(within(u64::MAX, 0_u64, 7).is_err());
    }
}
