//! The UDP socket of one client: batches in, bursts out, with the kernel's help as far as it was allowed.
//! It knows no packet's meaning.

use std::collections::HashMap;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{setsockopt, sockopt};
use quinn_udp::{RecvMeta, Transmit, UdpSocketState};

pub(super) use quinn_udp::BATCH_SIZE;

/// A second of a 2.5 Mbit/s track with its key frames may wait here while the generator is busy.
const RECEIVE_BUFFER: usize = 4 << 20;
const SEND_BUFFER: usize = 2 << 20;
/// The kernel's queue towards the network is full for no longer than this, or something is broken.
const LONGEST_SEND: Duration = Duration::from_millis(200);

/// The UDP socket of one client.
pub(super) struct Socket {
    udp: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
    takes_bundles: bool,
}

impl Socket {
    /// On the interface that leads to `server`.
    pub(super) fn open(server: SocketAddr, gro: bool) -> Result<Self> {
        let any: SocketAddr = match server {
            SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
            SocketAddr::V6(_) => ([0; 8], 0).into(),
        };
        let opening = || -> io::Result<Self> {
            let probe = UdpSocket::bind(any)?;
            probe.connect(server)?;
            let udp = UdpSocket::bind((probe.local_addr()?.ip(), 0))?;
            udp.set_nonblocking(true)?;
            let state = UdpSocketState::new((&udp).into())?;
            // quinn-udp turns it on. Off, the kernel cuts a server's bundle into datagrams, as it does on
            // the way to strangers, and the server pays for that.
            setsockopt(&udp.as_fd(), sockopt::UdpGroSegment, &gro)?;
            // Root may have more than net.core.rmem_max.
            if setsockopt(&udp.as_fd(), sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
                setsockopt(&udp.as_fd(), sockopt::RcvBuf, &RECEIVE_BUFFER)?;
            }
            setsockopt(&udp.as_fd(), sockopt::SndBuf, &SEND_BUFFER)?;
            let local = udp.local_addr()?;
            Ok(Self {
                udp,
                state,
                local,
                takes_bundles: gro,
            })
        };
        opening().context(
            "no UDP socket for another client: if there are too many, `ulimit -n 65536` allows more",
        )
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// The kernel may hand over datagrams in bundles of up to 64 KiB.
    pub(super) fn takes_bundles(&self) -> bool {
        self.takes_bundles
    }

    pub(super) fn udp(&self) -> &UdpSocket {
        &self.udp
    }

    /// Receive what is there, up to a batch.
    pub(super) fn receive(
        &self,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> io::Result<usize> {
        self.state.recv((&self.udp).into(), buffers, metas)
    }

    /// Send one datagram. What cannot be sent is lost, as on a network.
    pub(super) fn send(&self, to: SocketAddr, datagram: &[u8]) {
        let _ = self.udp.send_to(datagram, to);
    }

    /// Send datagrams of `segment` bytes each, the last of which may be shorter, at once.
    pub(super) fn send_burst(&self, to: SocketAddr, contents: &[u8], segment: usize) {
        let most = segment * self.state.max_gso_segments().max(1);
        for run in contents.chunks(most) {
            let transmit = Transmit {
                destination: to,
                ecn: None,
                contents: run,
                segment_size: (run.len() > segment).then_some(segment),
                src_ip: None,
            };
            let began = Instant::now();
            while let Err(error) = self.state.try_send((&self.udp).into(), &transmit) {
                // A packet that the kernel has no room for would count as lost by the server: wait.
                if error.kind() != io::ErrorKind::WouldBlock || began.elapsed() > LONGEST_SEND {
                    break;
                }
                std::thread::yield_now();
            }
        }
    }
}

/// As many sockets as the system allows this process.
pub(super) fn raise_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // Refused, the limit shows when it is reached.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Datagrams that the kernel dropped because a socket of this network namespace was full, by its port.
pub(crate) fn drops() -> HashMap<u16, u64> {
    let tables = ["/proc/self/net/udp", "/proc/self/net/udp6"];
    let tables = tables.map(|path| std::fs::read_to_string(path).unwrap_or_default());
    tables.iter().flat_map(|table| read_drops(table)).collect()
}

fn read_drops(table: &str) -> impl Iterator<Item = (u16, u64)> {
    table.lines().skip(1).filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let local = words.nth(1)?;
        let port = u16::from_str_radix(local.rsplit(':').next()?, 16).ok()?;
        Some((port, words.last()?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_tells_the_drops_of_each_port() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
             21: 0100007F:1ECA 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 12345 2 0000000000000000 17\n\
             22: broken\n";
        assert_eq!(read_drops(table).collect::<Vec<_>>(), [(0x1eca, 17)]);
    }

    #[test]
    fn a_full_socket_shows_in_the_kernels_table() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        setsockopt(&receiver.as_fd(), sockopt::RcvBuf, &4_096).unwrap();
        let address = receiver.local_addr().unwrap();
        let sender = Socket::open(address, false).unwrap();
        sender.send_burst(address, &vec![0; 100 * 1_000], 1_000);
        assert!(drops()[&address.port()] > 50);
    }

    #[test]
    fn a_burst_arrives_as_its_datagrams() {
        let sender = Socket::open("127.0.0.1:9".parse().unwrap(), false).unwrap();
        let receiver = Socket::open("127.0.0.1:9".parse().unwrap(), false).unwrap();
        let contents: Vec<u8> = (0..100).flat_map(|number| [number; 500]).collect();
        sender.send_burst(receiver.local(), &contents[..49_900], 500);
        let mut memory = vec![[0; 2_048]; BATCH_SIZE];
        let mut received = Vec::new();
        while received.len() < 100 {
            let mut buffers: Vec<_> = memory.iter_mut().map(|b| IoSliceMut::new(b)).collect();
            let mut metas = [RecvMeta::default(); BATCH_SIZE];
            let count = receiver.receive(&mut buffers, &mut metas).unwrap();
            for (buffer, meta) in memory.iter().zip(&metas[..count]) {
                received.push(buffer[..meta.len].to_vec());
            }
        }
        for (number, datagram) in received.iter().enumerate() {
            assert_eq!(
                datagram,
                &vec![number as u8; if number == 99 { 400 } else { 500 }]
            );
        }
    }
}
