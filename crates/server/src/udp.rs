//! A media socket: receives and sends in batches, with the kernel's segmentation (GRO, GSO). It knows no
//! packet's meaning.

mod batch;
mod sending;
mod statistics;

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use batch::Batch;
pub(crate) use sending::Sender;
use sending::{MOST_WAITING_BYTES, Queue, Waiting};
pub(crate) use statistics::{UdpStatistics, dropped_by_kernel};

/// The most that GRO hands over at once.
const BUFFER_BYTES: usize = 65_536;

/// A media socket.
pub(crate) struct Udp {
    socket: UdpSocket,
    state: UdpSocketState,
    buffers: Vec<u8>,
    queue: Queue,
    batch: Batch,
    received: u64,
    waited: Option<Duration>,
}

/// Bind a media socket, and ask for large buffers: a key frame for a hundred viewers is a burst of a
/// thousand datagrams.
pub(crate) fn bind(address: SocketAddr, buffer_bytes: usize) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    // The kernel gives what it may.
    let _ = socket.set_recv_buffer_size(buffer_bytes);
    let _ = socket.set_send_buffer_size(buffer_bytes);
    // It says twice what may be used.
    let given = [socket.recv_buffer_size()?, socket.send_buffer_size()?].map(|bytes| bytes / 2);
    if given.iter().any(|given| *given < buffer_bytes) {
        let [receive, send] = given;
        tracing::warn!(
            asked = buffer_bytes,
            receive,
            send,
            "the kernel gives media sockets smaller buffers than asked for: raise net.core.rmem_max and \
             net.core.wmem_max, or sound is lost when much comes at once"
        );
    }
    Ok(socket.into())
}

impl Udp {
    /// Within the runtime that will poll it.
    pub(crate) fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        let socket = UdpSocket::from_std(socket)?;
        let state = UdpSocketState::new((&socket).into())?;
        // The kernel counts its own overhead too, and says twice what may be used.
        let receive_buffer_bytes = state.recv_buffer_size((&socket).into())? / 2;
        let send_buffer_bytes = state.send_buffer_size((&socket).into())? / 2;
        tracing::info!(
            address = %socket.local_addr()?,
            receive_buffer_bytes,
            send_buffer_bytes,
            segments_sent_at_once = state.max_gso_segments(),
            "media socket"
        );
        Ok(Self {
            socket,
            state,
            buffers: vec![0; BATCH_SIZE * BUFFER_BYTES],
            queue: Queue {
                statistics: UdpStatistics {
                    receive_buffer_bytes: receive_buffer_bytes as u64,
                    send_buffer_bytes: send_buffer_bytes as u64,
                    ..UdpStatistics::default()
                },
                ..Queue::default()
            },
            batch: Batch::new(),
            received: 0,
            waited: None,
        })
    }

    /// Waits until there is something to receive, or room to send what waits.
    pub(crate) async fn ready(&self) -> io::Result<()> {
        let interest = match self.queue.waiting.is_empty() {
            true => Interest::READABLE,
            false => Interest::READABLE | Interest::WRITABLE,
        };
        self.socket.ready(interest).await.map(drop)
    }

    /// Hand over one batch of what has arrived: source, the local address it came to, and the datagram; with
    /// them what it takes to send. `false` when there was nothing.
    pub(crate) fn receive(
        &mut self,
        mut handle: impl FnMut(&mut Sender<'_>, SocketAddr, Option<IpAddr>, &mut [u8]),
    ) -> io::Result<bool> {
        let mut metas = [RecvMeta::default(); BATCH_SIZE];
        let count = {
            let mut buffers = self.buffers.chunks_exact_mut(BUFFER_BYTES);
            let mut slices: [IoSliceMut<'_>; BATCH_SIZE] =
                std::array::from_fn(|_| IoSliceMut::new(buffers.next().unwrap_or_default()));
            let receive = || {
                self.state
                    .recv((&self.socket).into(), &mut slices, &mut metas)
            };
            match self.socket.try_io(Interest::READABLE, receive) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                // An ICMP answer to something sent earlier, or a signal: no reason to end.
                Err(error) if is_passing(&error) => return Ok(true),
                Err(error) => return Err(error),
            }
        };
        if self.waited.is_none() {
            self.waited = metas.first().and_then(waited);
        }
        let mut sender = Sender {
            socket: &self.socket,
            state: &self.state,
            queue: &mut self.queue,
            batch: &mut self.batch,
        };
        for (buffer, meta) in self
            .buffers
            .chunks_exact_mut(BUFFER_BYTES)
            .zip(&metas)
            .take(count)
        {
            for datagram in buffer[..meta.len].chunks_mut(meta.stride.max(1)) {
                self.received += 1;
                handle(&mut sender, meta.addr, meta.dst_ip, datagram);
            }
        }
        Ok(count > 0)
    }

    /// How long the first datagram that was received since this was last asked had waited for it, where the kernel
    /// says when it came.
    pub(crate) fn take_waited(&mut self) -> Option<Duration> {
        self.waited.take()
    }

    /// Whether so much waits for the kernel that it will soon be too late to be of use.
    pub(crate) fn is_congested(&self) -> bool {
        self.queue.waiting_bytes > MOST_WAITING_BYTES / 2
    }

    /// What it takes to send.
    pub(crate) fn sender(&mut self) -> Sender<'_> {
        Sender {
            socket: &self.socket,
            state: &self.state,
            queue: &mut self.queue,
            batch: &mut self.batch,
        }
    }

    pub(crate) fn statistics(&self) -> UdpStatistics {
        UdpStatistics {
            received: self.received,
            waiting: self.queue.waiting.iter().map(Waiting::datagrams).sum(),
            ..self.queue.statistics
        }
    }
}

/// How long a datagram has been in the kernel's buffer.
fn waited(meta: &RecvMeta) -> Option<Duration> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Some(now.saturating_sub(meta.timestamp?))
}

fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, NetworkUnreachable,
    };
    matches!(
        error.kind(),
        ConnectionRefused | ConnectionReset | HostUnreachable | Interrupted | NetworkUnreachable
    )
}

#[cfg(test)]
mod tests;
