//! A UDP socket for the WebRTC stack that gives it a moment after each datagram of the handshake. It
//! changes, keeps and loses none.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};

use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

/// The stack takes what is there in one go, and only then makes use of the keys that the handshake gave.
/// Media right behind the last datagram of the handshake, as a server sends to a newcomer, would be
/// dropped. A browser takes one datagram after another; with this socket so does the stack.
#[derive(Debug)]
pub(crate) struct HandshakeFirst {
    socket: Arc<dyn AsyncUdpSocket>,
    waits: AtomicBool,
}

impl HandshakeFirst {
    pub(crate) fn new(socket: Arc<dyn AsyncUdpSocket>) -> Self {
        Self {
            socket,
            waits: AtomicBool::new(false),
        }
    }
}

/// A DTLS record of the handshake: change_cipher_spec or handshake (RFC 6347 section 4.1).
fn is_handshake(datagram: &[u8]) -> bool {
    matches!(datagram.first(), Some(20 | 22))
}

impl AsyncUdpSocket for HandshakeFirst {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn poll_send(
        &self,
        context: &mut Context<'_>,
        transmit: &Transmit<'_>,
    ) -> Poll<io::Result<usize>> {
        self.socket.poll_send(context, transmit)
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        if self.waits.swap(false, Relaxed) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        // One message at a time, or the one behind would be there already.
        let (buffers, metas) = (first(buffers), first(metas));
        let received = self.socket.poll_recv(context, buffers, metas);
        if let (Poll::Ready(Ok(1)), [buffer]) = (&received, buffers) {
            self.waits.store(is_handshake(buffer), Relaxed);
        }
        received
    }

    fn max_gso_segments(&self) -> usize {
        self.socket.max_gso_segments()
    }

    fn max_gro_segments(&self) -> usize {
        self.socket.max_gro_segments()
    }
}

fn first<T>(all: &mut [T]) -> &mut [T] {
    let count = all.len().min(1);
    &mut all[..count]
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;
    use webrtc::runtime::{Runtime, TokioRuntime};

    #[tokio::test]
    async fn after_a_datagram_of_the_handshake_the_stack_gets_a_moment_and_then_all_the_others() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let socket = HandshakeFirst::new(TokioRuntime.wrap_udp_socket(socket).unwrap());
        let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for datagram in [[22u8, 1], [128, 2], [128, 3]] {
            sender.send_to(&datagram, address).unwrap();
        }
        let mut buffer = [0; 65_536];
        let mut receive = async |moments: &mut u32| {
            let mut metas = [RecvMeta::default()];
            let received = poll_fn(|context| {
                let poll =
                    socket.poll_recv(context, &mut [IoSliceMut::new(&mut buffer)], &mut metas);
                *moments += u32::from(poll.is_pending());
                poll
            });
            received.await.unwrap();
            buffer[..metas[0].len].to_vec()
        };
        let mut moments = 0;
        while receive(&mut moments).await != [22, 1] {}
        moments = 0;
        let mut media = receive(&mut moments).await;
        assert_eq!(moments, 1);
        while media.len() < 4 {
            media.extend(receive(&mut moments).await);
        }
        assert_eq!(media, [128, 2, 128, 3]);
        assert_eq!(moments, 1, "after media there is no wait");
    }
}
