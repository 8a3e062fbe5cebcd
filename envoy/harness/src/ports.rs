//! Free ports on loopback.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Result, bail};

/// Below the range from which Linux takes the client ends of connections (32768 and up): while an origin is stopped,
/// nobody's outgoing connection takes its port.
const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// An address on loopback that nobody listens on, different at each call. Programs that run side by side look in
/// different places, since each starts at a place given by its process id.
pub fn free() -> Result<SocketAddr> {
    let start = (std::process::id().wrapping_mul(397) % u32::from(COUNT)) as u16;
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let address = loopback(FIRST + (start + step) % COUNT);
        if is_free(address) {
            return Ok(address);
        }
    }
    bail!("no free port between {FIRST} and {}", FIRST + COUNT)
}

/// The address with this port if nobody listens there, else a free one.
pub fn prefer(port: u16) -> Result<SocketAddr> {
    if is_free(loopback(port)) { Ok(loopback(port)) } else { free() }
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn is_free(address: SocketAddr) -> bool {
    TcpListener::bind(address).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_and_can_be_listened_on() {
        let (one, two) = (free().unwrap(), free().unwrap());
        assert_ne!(one, two);
        TcpListener::bind(one).unwrap();
    }

    #[test]
    fn a_taken_port_is_replaced() {
        let taken = free().unwrap();
        let _listener = TcpListener::bind(taken).unwrap();
        assert_ne!(prefer(taken.port()).unwrap(), taken);
    }
}
