//! Sends on a media socket: runs at once, single small datagrams together, and what the kernel has no room for later,
//! in order.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;

use quinn_udp::UdpSocketState;
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::batch::Batch;
use super::statistics::UdpStatistics;

/// Bytes that may wait for room in the kernel's buffer: some frames for a large room. What waits longer than
/// it takes to send this is too late to be of use.
pub(super) const MOST_WAITING_BYTES: usize = 4 * 1024 * 1024;

/// Sends on a media socket, also while a batch that it received is being handed over.
pub(crate) struct Sender<'a> {
    pub(super) socket: &'a UdpSocket,
    pub(super) state: &'a UdpSocketState,
    pub(super) queue: &'a mut Queue,
    pub(super) batch: &'a mut Batch,
}

/// What the kernel had no room for, in order; and what was sent so far.
#[derive(Default)]
pub(super) struct Queue {
    pub(super) waiting: VecDeque<Waiting>,
    pub(super) waiting_bytes: usize,
    pub(super) statistics: UdpStatistics,
}

/// A run of datagrams that the kernel had no room for.
pub(super) struct Waiting {
    to: SocketAddr,
    from: Option<IpAddr>,
    contents: Vec<u8>,
    segment_size: Option<usize>,
}

impl Waiting {
    pub(super) fn datagrams(&self) -> u64 {
        datagrams(self.contents.len(), self.segment_size)
    }
}

fn datagrams(bytes: usize, segment_size: Option<usize>) -> u64 {
    segment_size.map_or(1, |size| bytes.div_ceil(size.max(1)) as u64)
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
    pub(super) fn keep(
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
