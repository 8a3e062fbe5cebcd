//! `cidr`: whether an address lies in a network (RFC 4632, RFC 4291). IPv4 addresses are taken as mapped into IPv6, so
//! that `::ffff:10.0.0.1` and `10.0.0.1` are the same.

use std::net::{IpAddr, SocketAddr};

use super::operand::{Operand, View};
use super::{Machine, Outcome};
use crate::rule::{Network, NodeId};
use crate::value::Attributes;

/// The bits by which an IPv4 address is mapped into IPv6.
const MAPPED_BITS: u32 = 96;

/// Reads `10.0.0.0/8`, `2001:db8::/32`, or an address alone.
pub(crate) fn parse_network(text: &str) -> Option<Network> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().ok()?;
    let (most, offset) = if address.is_ipv4() { (32, MAPPED_BITS) } else { (128, 0) };
    let bits = match bits {
        None => most,
        Some(bits) if bits.bytes().all(|b| b.is_ascii_digit()) => {
            bits.parse().ok().filter(|bits| *bits <= most)?
        }
        Some(_) => return None,
    };
    Some(Network { address: number(address), bits: bits + offset })
}

/// Reads an address, with or without a port (proxies tell clients' addresses with theirs).
fn parse_address(text: &str) -> Option<u128> {
    let alone = || text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    alone().or_else(with_port).map(number)
}

fn number(address: IpAddr) -> u128 {
    u128::from(match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    })
}

impl Network {
    fn contains(&self, address: u128) -> bool {
        let mask = u128::MAX.checked_shl(128 - self.bits.min(128)).unwrap_or(0);
        (address ^ self.address) & mask == 0
    }
}

impl<'a, A: Attributes + ?Sized> Machine<'a, '_, A> {
    /// Whether an address is in one of the networks; null when it is no address.
    pub(super) fn cidr(&mut self, address: NodeId, index: u32) -> Outcome<'a> {
        let value = self.eval(address)?;
        let View::Text(text) = self.view(&value) else { return Ok(Operand::Null) };
        let Some(address) = parse_address(text) else { return Ok(Operand::Null) };
        let networks = self.snapshot.rules.networks.get(index as usize).map_or(&[][..], |networks| networks);
        self.charge(networks.len() / 4)?;
        Ok(Operand::Bool(networks.iter().any(|network| network.contains(address))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_their_addresses_and_no_others() {
        for (network, address, contains) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.1.2.3/8", "10.9.9.9:8080", true),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("0.0.0.0/0", "203.0.113.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "203.0.113.1", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "[2001:db8::1]:443", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
        ] {
            let parsed = parse_network(network).unwrap();
            assert_eq!(parsed.contains(parse_address(address).unwrap()), contains, "{network} {address}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "10.0.0/8",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "::/129",
            "example.com",
            "10.0.0.0/8/8",
        ] {
            assert_eq!(parse_network(text), None, "{text:?}");
        }
    }
}
