//! A media socket: receives and sends in batches, with the kernel's segmentation (GRO, GSO). It knows no
//! packet's meaning.

mod batch;

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::ops::AddAssign;
use std::os::fd::AsRawFd;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use batch::Batch;

/// The most that GRO hands over at once.
const BUFFER_BYTES: usize = 65_536;

/// Bytes that may wait for room in the kernel's buffer: some frames for a large room. What waits longer than
/// it takes to send this is too late to be of use.
const MOST_WAITING_BYTES: usize = 4 * 1024 * 1024;

/// What a socket counted. Counters only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct UdpStatistics {
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) send_calls: u64,
    /// Waiting now: no counter.
    pub(crate) waiting: u64,
    pub(crate) overflowed: u64,
    pub(crate) failed: u64,
    /// Received by the kernel, and dropped because the buffer was full.
    pub(crate) kernel_dropped: u64,
    /// What the kernel gave: no counters.
    pub(crate) receive_buffer_bytes: u64,
    pub(crate) send_buffer_bytes: u64,
}

impl AddAssign for UdpStatistics {
    fn add_assign(&mut self, other: Self) {
        self.received += other.received;
        self.sent += other.sent;
        self.send_calls += other.send_calls;
        self.waiting += other.waiting;
        self.overflowed += other.overflowed;
        self.failed += other.failed;
        self.kernel_dropped += other.kernel_dropped;
        self.receive_buffer_bytes += other.receive_buffer_bytes;
        self.send_buffer_bytes += other.send_buffer_bytes;
    }
}

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

/// Sends on a media socket, also while a batch that it received is being handed over.
pub(crate) struct Sender<'a> {
    socket: &'a UdpSocket,
    state: &'a UdpSocketState,
    queue: &'a mut Queue,
    batch: &'a mut Batch,
}

/// What the kernel had no room for, in order; and what was sent so far.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    statistics: UdpStatistics,
}

/// A run of datagrams that the kernel had no room for.
struct Waiting {
    to: SocketAddr,
    from: Option<IpAddr>,
    contents: Vec<u8>,
    segment_size: Option<usize>,
}

impl Waiting {
    fn datagrams(&self) -> u64 {
        datagrams(self.contents.len(), self.segment_size)
    }
}

fn datagrams(bytes: usize, segment_size: Option<usize>) -> u64 {
    segment_size.map_or(1, |size| bytes.div_ceil(size.max(1)) as u64)
}

/// What the kernel dropped at this port since it was bound, because the receive buffer was full: datagrams, or bundles
/// of them (GRO), which count once. 0 where the kernel does not say.
pub(crate) fn dropped_by_kernel(port: u16) -> u64 {
    let tables = ["/proc/self/net/udp", "/proc/self/net/udp6"];
    let tables = tables.map(|path| std::fs::read_to_string(path).unwrap_or_default());
    tables.iter().map(|table| drops_in(table, port)).sum()
}

/// Of each line, the second word is the local address and port in hexadecimal, the last the drops (proc(5)).
fn drops_in(table: &str, port: u16) -> u64 {
    let drops = table.lines().skip(1).filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let (_, its_port) = words.nth(1)?.rsplit_once(':')?;
        let is_it = u16::from_str_radix(its_port, 16).ok()? == port;
        words.next_back()?.parse::<u64>().ok().filter(|_| is_it)
    });
    drops.sum()
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

impl Sender<'_> {
    /// Send a run of datagrams, or keep it until there is room. What is small and alone waits for others: `finish`
    /// ends the wait.
    pub(crate) fn send(&mut self, transmit: media::Transmit<'_>) {
        let media::Transmit {
            to,
            from,
            contents,
            segment_size,
        } = transmit;
        if Batch::is_for(contents, segment_size) {
            if !self.batch.has_room(from) {
                self.finish();
            }
            return self.batch.push(to, from, contents);
        }
        // One destination's packets stay in order.
        self.finish();
        if self.queue.waiting.is_empty() {
            let sent_bytes = self.try_send(to, from, contents, segment_size);
            if sent_bytes < contents.len() {
                self.queue
                    .keep(to, from, &contents[sent_bytes..], segment_size);
            }
        } else {
            // Behind those that wait: one destination's packets stay in order.
            self.queue.keep(to, from, contents, segment_size);
        }
    }

    /// Send what waits for others.
    pub(crate) fn finish(&mut self) {
        let mut done = 0;
        while done < self.batch.len() && self.queue.waiting.is_empty() {
            let send = || self.batch.send(self.socket.as_raw_fd(), done);
            match self.socket.try_io(Interest::WRITABLE, send) {
                Ok(sent) => {
                    self.queue.statistics.sent += sent as u64;
                    self.queue.statistics.send_calls += 1;
                    done += sent;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // It is the first one's error: the others may go.
                Err(error) => {
                    tracing::trace!(%error, "a datagram cannot be sent");
                    self.queue.statistics.failed += 1;
                    done += 1;
                }
            }
        }
        for (to, contents) in self.batch.rest(done) {
            self.queue.keep(to, self.batch.from(), contents, None);
        }
        self.batch.clear();
    }

    /// Send what waits, as far as there is room.
    pub(crate) fn send_waiting(&mut self) {
        while let Some(mut first) = self.queue.waiting.pop_front() {
            self.queue.waiting_bytes -= first.contents.len();
            let sent_bytes =
                self.try_send(first.to, first.from, &first.contents, first.segment_size);
            if sent_bytes < first.contents.len() {
                first.contents.drain(..sent_bytes);
                self.queue.waiting_bytes += first.contents.len();
                self.queue.waiting.push_front(first);
                return;
            }
        }
    }

    /// How many bytes are done with, sent or failed; the rest found no room.
    fn try_send(
        &mut self,
        to: SocketAddr,
        from: Option<IpAddr>,
        contents: &[u8],
        segment_size: Option<usize>,
    ) -> usize {
        let mut done = 0;
        while done < contents.len() {
            // Asked each time: quinn-udp turns GSO off where the network card cannot do it.
            let at_once = segment_size.map_or(contents.len(), |size| {
                size.saturating_mul(self.state.max_gso_segments()).max(1)
            });
            let run = &contents[done..contents.len().min(done + at_once)];
            let transmit = quinn_udp::Transmit {
                destination: to,
                ecn: None,
                contents: run,
                segment_size: segment_size.filter(|&size| size < run.len()),
                src_ip: from,
            };
            let send = || self.state.try_send(self.socket.into(), &transmit);
            let datagrams = datagrams(run.len(), segment_size);
            match self.socket.try_io(Interest::WRITABLE, send) {
                Ok(()) => {
                    self.queue.statistics.sent += datagrams;
                    self.queue.statistics.send_calls += 1;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return done,
                Err(error) => {
                    tracing::trace!(%error, "a datagram cannot be sent");
                    self.queue.statistics.failed += datagrams;
                }
            }
            done += run.len();
        }
        done
    }
}

impl Queue {
    fn keep(
        &mut self,
        to: SocketAddr,
        from: Option<IpAddr>,
        contents: &[u8],
        segment_size: Option<usize>,
    ) {
        self.waiting_bytes += contents.len();
        self.waiting.push_back(Waiting {
            to,
            from,
            contents: contents.to_vec(),
            segment_size,
        });
        while self.waiting_bytes > MOST_WAITING_BYTES {
            let Some(oldest) = self.waiting.pop_front() else {
                return;
            };
            self.waiting_bytes -= oldest.contents.len();
            self.statistics.overflowed += oldest.datagrams();
        }
    }
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
mod tests {
    use super::*;

    async fn pair() -> (Udp, Udp, SocketAddr) {
        let [a, b] = [(); 2]
            .map(|()| Udp::new(bind("127.0.0.1:0".parse().unwrap(), 65_536).unwrap()).unwrap());
        a.socket.writable().await.unwrap();
        let to = b.socket.local_addr().unwrap();
        (a, b, to)
    }

    fn transmit(
        to: SocketAddr,
        contents: &[u8],
        segment_size: Option<usize>,
    ) -> media::Transmit<'_> {
        media::Transmit {
            to,
            from: None,
            contents,
            segment_size,
        }
    }

    async fn received(udp: &mut Udp, count: usize) -> Vec<Vec<u8>> {
        let mut datagrams = Vec::new();
        while datagrams.len() < count {
            tokio::time::timeout(Duration::from_secs(5), udp.ready())
                .await
                .unwrap()
                .unwrap();
            udp.receive(|_, _, _, datagram| datagrams.push(datagram.to_vec()))
                .unwrap();
        }
        datagrams
    }

    #[test]
    fn what_the_kernel_dropped_at_a_port_is_the_last_column_of_its_lines() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
            \x20 97: 00000000:1ECA 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 17 2 0000000000000000 42\n\
            \x20 98: 0100007F:1ECB 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 18 2 0000000000000000 5\n\
            broken\n";
        assert_eq!(
            (
                drops_in(table, 7882),
                drops_in(table, 7883),
                drops_in(table, 1)
            ),
            (42, 5, 0)
        );
        assert_eq!(drops_in("", 7882), 0);
    }

    #[tokio::test]
    async fn a_full_receive_buffer_is_seen_in_what_the_kernel_dropped() {
        let (mut a, mut b, to) = pair().await;
        assert_eq!(dropped_by_kernel(to.port()), 0);
        for _ in 0..2_000 {
            a.sender().send(transmit(to, &[7; 1_000], None));
        }
        a.sender().finish();
        assert!(b.statistics().receive_buffer_bytes >= 65_536);
        let dropped = dropped_by_kernel(to.port());
        let kept = received(&mut b, 1).await.len() as u64;
        let more = std::iter::from_fn(|| b.receive(|_, _, _, _| ()).unwrap().then_some(()));
        more.for_each(drop);
        assert!(dropped > 0 && kept > 0);
        assert_eq!(b.statistics().received + dropped, a.statistics().sent);
        assert_eq!(a.statistics().sent, 2_000);
    }

    #[tokio::test]
    async fn what_has_waited_in_the_kernel_is_known_by_the_first_datagram() {
        let (mut a, mut b, to) = pair().await;
        a.sender().send(transmit(to, b"early", None));
        a.sender().finish();
        std::thread::sleep(Duration::from_millis(30));
        a.sender().send(transmit(to, b"late", None));
        a.sender().finish();
        assert_eq!(b.take_waited(), None);
        received(&mut b, 2).await;
        assert!(b.take_waited().unwrap() >= Duration::from_millis(29));
        assert_eq!(b.take_waited(), None);
    }

    #[tokio::test]
    async fn a_run_arrives_as_its_datagrams_and_is_one_call() {
        let (mut a, mut b, to) = pair().await;
        a.sender().send(transmit(to, b"aaaabbbbcc", Some(4)));
        a.sender().send(transmit(to, b"dddddd", None));
        a.sender().finish();
        let expected = ["aaaa", "bbbb", "cc", "dddddd"].map(|text| text.as_bytes().to_vec());
        assert_eq!(received(&mut b, 4).await, expected);
        assert_eq!((a.statistics().sent, b.statistics().received), (4, 4));
        if a.state.max_gso_segments() > 1 {
            assert_eq!(a.statistics().send_calls, 2);
        }
    }

    #[tokio::test]
    async fn a_run_longer_than_the_kernel_takes_is_split_between_datagrams() {
        let (mut a, mut b, to) = pair().await;
        let contents: Vec<u8> = (0..200u8).flat_map(|number| [number; 10]).collect();
        a.sender().send(transmit(to, &contents, Some(10)));
        let expected: Vec<_> = (0..200u8).map(|number| vec![number; 10]).collect();
        assert_eq!(received(&mut b, 200).await, expected);
    }

    #[tokio::test]
    async fn what_waits_is_bounded_and_goes_out_in_order() {
        let (mut a, mut b, to) = pair().await;
        let big = vec![0; 1_000_000];
        for _ in 0..5 {
            a.queue.keep(to, None, &big, Some(1_000));
        }
        assert_eq!(
            (a.statistics().waiting, a.statistics().overflowed),
            (4_000, 1_000)
        );
        a.queue.waiting.clear();
        a.queue.waiting_bytes = 0;

        a.queue.keep(to, None, b"first", None);
        a.sender().send(transmit(to, b"second", None));
        a.sender().finish();
        assert_eq!(a.statistics().waiting, 2, "nothing overtakes what waits");
        a.sender().send_waiting();
        assert_eq!(
            received(&mut b, 2).await,
            [b"first".to_vec(), b"second".to_vec()]
        );
        assert_eq!((a.statistics().waiting, a.queue.waiting_bytes), (0, 0));
    }

    #[tokio::test]
    async fn single_datagrams_go_out_in_one_call_and_in_order_with_runs() {
        let (mut a, mut b, to) = pair().await;
        let (_, mut c, other) = pair().await;
        let mut sender = a.sender();
        for number in 0..100u8 {
            sender.send(transmit(to, &[number; 40], None));
            sender.send(transmit(other, &[number; 41], None));
        }
        sender.send(transmit(to, b"aaaabbbb", Some(4)));
        sender.send(transmit(to, b"last", None));
        sender.finish();
        let mut expected: Vec<_> = (0..100u8).map(|number| vec![number; 40]).collect();
        expected.extend([b"aaaa".to_vec(), b"bbbb".to_vec(), b"last".to_vec()]);
        assert_eq!(received(&mut b, 103).await, expected);
        let expected: Vec<_> = (0..100u8).map(|number| vec![number; 41]).collect();
        assert_eq!(received(&mut c, 100).await, expected);
        assert_eq!(a.statistics().sent, 203);
        if a.state.max_gso_segments() > 1 {
            // 200 in batches of 64, the run, and the last one.
            assert_eq!(a.statistics().send_calls, 6);
        }
    }

    #[tokio::test]
    async fn a_datagram_goes_out_from_the_address_it_is_to_come_from() {
        let a = Udp::new(bind("0.0.0.0:0".parse().unwrap(), 65_536).unwrap()).unwrap();
        let (_, mut b, to) = pair().await;
        let mut a = a;
        a.socket.writable().await.unwrap();
        let from: IpAddr = "127.0.0.9".parse().unwrap();
        a.sender().send(media::Transmit {
            from: Some(from),
            ..transmit(to, b"hello", None)
        });
        a.sender().finish();
        let mut sources = Vec::new();
        while sources.is_empty() {
            b.ready().await.unwrap();
            b.receive(|_, source, _, _| sources.push(source.ip()))
                .unwrap();
        }
        assert_eq!(sources, [from]);
    }
}
