//! A datagram, or a run of equal-sized ones, on its way out.

use std::net::{IpAddr, SocketAddr};

/// One or more datagrams to one destination, for one call of the kernel (UDP GSO).
#[derive(Clone, Copy, Debug)]
pub struct Transmit<'a> {
    /// The destination.
    pub to: SocketAddr,
    /// The local address that the destination sent to, where the socket has several.
    pub from: Option<IpAddr>,
    /// The datagrams' bytes, end to end.
    pub contents: &'a [u8],
    /// Bytes per datagram if there are several; the last may be shorter.
    pub segment_size: Option<usize>,
}
