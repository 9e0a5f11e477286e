//! A name that a relay is reached by: what a certificate is for. No wildcards: clients take none.

use std::fmt;
use std::net::IpAddr;

use openssl::x509::GeneralNameRef;

/// A DNS name, in lower case, or an IP address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HostName {
    Dns(String),
    Ip(IpAddr),
}

impl HostName {
    /// Takes what a person wrote.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        const MAX_BYTES: usize = 253;
        if let Ok(address) = name.parse() {
            return Some(Self::Ip(address));
        }
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        // All digits in the last label: an address with a slip, 127.0.0.256 for instance.
        let is_number =
            name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
        (name.len() <= MAX_BYTES && !is_number && name.split('.').all(is_label))
            .then(|| Self::Dns(name.to_ascii_lowercase()))
    }

    /// Takes a name from a certificate.
    pub(crate) fn of(name: &GeneralNameRef) -> Option<Self> {
        if let Some(dns) = name.dnsname() {
            return Self::parse(dns).filter(|name| matches!(name, Self::Dns(_)));
        }
        let bytes = name.ipaddress()?;
        let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
        v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok().map(Self::Ip)
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name),
            Self::Ip(address) => address.fmt(f),
        }
    }
}

/// Names as one line.
pub(crate) fn list(names: &[HostName]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::HostName;

    #[test]
    fn names_are_hosts_or_addresses() {
        assert_eq!(HostName::parse("Relay.Example"), Some(HostName::Dns("relay.example".to_owned())));
        assert_eq!(HostName::parse("::1"), Some(HostName::Ip("::1".parse().unwrap())));
        let long = "a".repeat(64);
        for bad in [
            "",
            "*.example",
            "a..b",
            "-a",
            "a-",
            "a_b",
            "a b",
            "é",
            "a/b",
            "a.b.",
            "127.0.0.256",
            "10.1",
            "relay:9090",
            "[::1]",
            &long,
        ] {
            assert_eq!(HostName::parse(bad), None, "{bad:?}");
        }
    }
}
