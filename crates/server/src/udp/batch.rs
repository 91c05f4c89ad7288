//! Single datagrams for many destinations, to go out in one call (`sendmmsg`): one packet of sound for each
//! listener. A sixth cheaper than a call for each. It never holds a run: those go out by themselves.

#![allow(unsafe_code)] // quinn-udp sends one datagram or one run at a time. All of it is in `Batch::send`.

use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::RawFd;

use socket2::SockAddr;

/// Datagrams of one call: more gain nothing more, and let the first one wait.
const DATAGRAMS: usize = 64;
/// What is larger costs more to copy here than the call.
const LARGEST: usize = 512;

// What `control` writes is laid out for this.
const _: () = assert!(size_of::<libc::cmsghdr>() == 16);

/// Room for one control message with a local address: a header of 16 bytes, and 20 of IPv6's.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; 40]);

/// Datagrams that wait for one call.
pub(super) struct Batch {
    /// The local address of all of them.
    from: Option<IpAddr>,
    destinations: Vec<(SocketAddr, SockAddr)>,
    /// The datagrams, end to end, and where each ends.
    contents: Vec<u8>,
    ends: Vec<usize>,
}

impl Batch {
    pub(super) fn new() -> Self {
        Self {
            from: None,
            destinations: Vec::with_capacity(DATAGRAMS),
            contents: Vec::with_capacity(DATAGRAMS * LARGEST),
            ends: Vec::with_capacity(DATAGRAMS),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.destinations.len()
    }

    /// Whether a datagram is one for a batch.
    pub(super) fn is_for(contents: &[u8], segment_size: Option<usize>) -> bool {
        segment_size.is_none() && contents.len() <= LARGEST
    }

    /// Whether this one has room for a datagram from this address.
    pub(super) fn has_room(&self, from: Option<IpAddr>) -> bool {
        self.len() == 0 || (self.from == from && self.len() < DATAGRAMS)
    }

    pub(super) fn push(&mut self, to: SocketAddr, from: Option<IpAddr>, contents: &[u8]) {
        debug_assert!(self.has_room(from));
        self.from = from;
        self.destinations.push((to, to.into()));
        self.contents.extend_from_slice(contents);
        self.ends.push(self.contents.len());
    }

    /// Send those from the `first` on. Gives how many went out; an error is that of the `first`.
    pub(super) fn send(&mut self, socket: RawFd, first: usize) -> io::Result<usize> {
        let control = self.from.map(control);
        let mut slices = [const { MaybeUninit::<libc::iovec>::uninit() }; DATAGRAMS];
        let mut messages = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; DATAGRAMS];
        let mut count = 0;
        for index in first..self.len() {
            let datagram = datagram(&self.contents, &self.ends, index);
            let slice = slices[count].write(libc::iovec {
                iov_base: datagram.as_ptr().cast_mut().cast(),
                iov_len: datagram.len(),
            });
            let address = &self.destinations[index].1;
            // SAFETY: a message header of zeros is one without anything.
            let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
            header.msg_name = address.as_ptr().cast_mut().cast();
            header.msg_namelen = address.len();
            header.msg_iov = slice;
            header.msg_iovlen = 1;
            if let Some((control, length)) = &control {
                header.msg_control = std::ptr::from_ref(control).cast_mut().cast();
                header.msg_controllen = *length as _;
            }
            messages[count].write(libc::mmsghdr {
                msg_hdr: header,
                msg_len: 0,
            });
            count += 1;
        }
        // SAFETY: `count` messages are written, and what they point to (addresses, slices, datagrams, the control
        // message) lives until the end of this function. The kernel writes to nothing but their `msg_len`.
        let sent = unsafe {
            libc::sendmmsg(
                socket,
                messages.as_mut_ptr().cast(),
                count as libc::c_uint,
                0,
            )
        };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }

    /// What waits, from the `first` on: where to, and the bytes.
    pub(super) fn rest(&self, first: usize) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        (first..self.len()).map(|index| {
            let datagram = datagram(&self.contents, &self.ends, index);
            (self.destinations[index].0, datagram)
        })
    }

    pub(super) fn from(&self) -> Option<IpAddr> {
        self.from
    }

    pub(super) fn clear(&mut self) {
        self.destinations.clear();
        self.contents.clear();
        self.ends.clear();
    }
}

fn datagram<'a>(contents: &'a [u8], ends: &[usize], index: usize) -> &'a [u8] {
    let start = index.checked_sub(1).map_or(0, |before| ends[before]);
    &contents[start..ends[index]]
}

/// The control message that says which local address a datagram leaves by (ip(7), ipv6(7)), and its length.
fn control(from: IpAddr) -> (Control, usize) {
    let mut control = Control([0; 40]);
    // `struct in_pktinfo`: interface, local address, destination. `struct in6_pktinfo`: address, interface.
    let (level, kind, data) = match from {
        IpAddr::V4(address) => {
            control.0[20..24].copy_from_slice(&address.octets());
            (libc::IPPROTO_IP, libc::IP_PKTINFO, 12)
        }
        IpAddr::V6(address) => {
            control.0[16..32].copy_from_slice(&address.octets());
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, 20)
        }
    };
    // `struct cmsghdr`: the length with the header, level, kind; aligned to eight bytes.
    let header = size_of::<libc::cmsghdr>();
    control.0[..8].copy_from_slice(&(header + data).to_ne_bytes());
    control.0[8..12].copy_from_slice(&level.to_ne_bytes());
    control.0[12..16].copy_from_slice(&kind.to_ne_bytes());
    (control, (header + data).next_multiple_of(8))
}
