//! Addresses: under which ones clients reach this machine, and which of theirs count as one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::config::Config;

/// Candidates of one answer: each costs every client checks, and more than a few are containers' bridges.
const MOST_CANDIDATES: usize = 8;

/// Where a media socket binds.
pub(crate) fn media_bind_address(config: &Config) -> IpAddr {
    match config.public_ip {
        Some(loopback) if config.is_development() => loopback,
        None if config.is_development() => Ipv4Addr::LOCALHOST.into(),
        // With keys the public address may be any, and none of this machine's own: a container's is not.
        Some(IpAddr::V6(_)) => Ipv6Addr::UNSPECIFIED.into(),
        _ => Ipv4Addr::UNSPECIFIED.into(),
    }
}

/// The host candidates for a media socket with this port. Never empty.
pub(crate) fn candidates(config: &Config, port: u16) -> Vec<SocketAddr> {
    if let Some(address) = config.public_ip {
        return vec![SocketAddr::new(address, port)];
    }
    if config.is_development() {
        return vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))];
    }
    let mut addresses = own_addresses();
    if addresses.is_empty() {
        tracing::warn!(
            "this machine has no address but loopback: only clients on it can send media"
        );
        addresses.push(Ipv4Addr::LOCALHOST.into());
    }
    addresses
        .into_iter()
        .map(|address| SocketAddr::new(address, port))
        .collect()
}

/// IPv4, since that is what the socket is bound to; link-local ones reach nobody who needs a server.
fn own_addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "this machine's addresses cannot be listed");
        Vec::new()
    });
    let usable = |address: &IpAddr| match address {
        IpAddr::V4(address) => !address.is_loopback() && !address.is_link_local(),
        IpAddr::V6(_) => false,
    };
    interfaces
        .into_iter()
        .map(|interface| interface.ip())
        .filter(usable)
        .take(MOST_CANDIDATES)
        .collect()
}

/// What counts as one address in limits: an IPv6 host may have a whole /64 at its will.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Keys;

    fn with_keys(public_ip: Option<[u8; 4]>) -> Config {
        let keys = Keys::from([("key", "0123456789abcdef0123456789abcdef")]);
        Config {
            public_ip: public_ip.map(IpAddr::from),
            keys,
            ..Config::default()
        }
    }

    #[test]
    fn development_mode_is_on_loopback_alone() {
        let config = Config::default();
        assert!(media_bind_address(&config).is_loopback());
        assert_eq!(
            candidates(&config, 7),
            [SocketAddr::from(([127, 0, 0, 1], 7))]
        );
    }

    #[test]
    fn a_public_address_is_the_one_candidate() {
        let config = with_keys(Some([192, 0, 2, 1]));
        assert_eq!(media_bind_address(&config), Ipv4Addr::UNSPECIFIED);
        assert_eq!(
            candidates(&config, 7),
            [SocketAddr::from(([192, 0, 2, 1], 7))]
        );
    }

    #[test]
    fn there_is_always_a_candidate() {
        assert!(!candidates(&with_keys(None), 7).is_empty());
    }

    #[test]
    fn addresses_of_one_network_are_one() {
        let network = |text: &str| network(text.parse().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:0:0:2"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
