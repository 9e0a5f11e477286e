//! For whom a certificate is: exact names only, no wildcards.

use std::net::IpAddr;

use openssl::nid::Nid;
use openssl::x509::X509;

/// Whether the SAN holds `relay_name` (a DNS name, case ignored, or an IP address), or the single CN does where the
/// SAN has neither kind.
pub(super) fn is_for(leaf: &X509, relay_name: &str) -> bool {
    let address = relay_name.parse::<IpAddr>().ok();
    let mut names_hosts = false;
    for name in leaf.subject_alt_names().iter().flatten() {
        let fits = match (name.dnsname(), name.ipaddress(), address) {
            (Some(dns), _, None) => is_same_host(dns.as_bytes(), relay_name),
            (_, Some(ip), Some(address)) => is_same_address(ip, address),
            (_, _, _) => false,
        };
        if fits {
            return true;
        }
        names_hosts |= name.dnsname().is_some() || name.ipaddress().is_some();
    }
    !names_hosts && common_name_is(leaf, relay_name)
}

/// The bytes as they stand: a NUL or another encoding in a CN makes it another name.
fn common_name_is(leaf: &X509, relay_name: &str) -> bool {
    let mut names = leaf.subject_name().entries_by_nid(Nid::COMMONNAME);
    match (names.next(), names.next()) {
        (Some(name), None) => is_same_host(name.data().as_slice(), relay_name),
        (_, _) => false,
    }
}

fn is_same_host(name: &[u8], relay_name: &str) -> bool {
    !name.contains(&b'*') && !name.is_empty() && name.eq_ignore_ascii_case(relay_name.as_bytes())
}

fn is_same_address(name: &[u8], address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => name == address.octets(),
        IpAddr::V6(address) => name == address.octets(),
    }
}
