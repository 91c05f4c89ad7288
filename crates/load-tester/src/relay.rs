//! A relay for UDP between one participant and the server, in user space, that does what networks do:
//! loses, delays and reorders packets, changes addresses, and falls silent. It opens no packet; it tells media
//! from the rest by the first byte.

mod conditions;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::AnswerFilter;
pub use conditions::Conditions;
use conditions::Fate;

/// Larger than any datagram of WebRTC.
const DATAGRAM: usize = 2_048;

/// A relay for UDP between one participant and the server. Ends when dropped.
pub struct Relay {
    address: SocketAddr,
    state: Arc<State>,
    outward: watch::Sender<Arc<UdpSocket>>,
    tasks: Vec<AbortHandle>,
}

#[derive(Default)]
struct State {
    server: Mutex<Option<SocketAddr>>,
    client: Mutex<Option<SocketAddr>>,
    lose_to_server: AtomicU32,
    lose_to_client: AtomicU32,
    media_to_server: AtomicU64,
    media_to_client: AtomicU64,
    lost_to_server: AtomicU64,
    lost_to_client: AtomicU64,
    /// What happens to each datagram to the server, and to the client.
    fate_to_server: Mutex<Option<Fate>>,
    fate_to_client: Mutex<Option<Fate>>,
}

impl Relay {
    /// A relay on two free ports of this machine. The server's address is learned from the answer.
    pub async fn start() -> Result<Self> {
        let inward = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?);
        let (outward, outward_receiver) = watch::channel(outward_socket().await?);
        let address = inward.local_addr()?;
        let state = Arc::new(State::default());
        let tasks = vec![
            tokio::spawn(carry_to_server(
                inward.clone(),
                outward_receiver.clone(),
                state.clone(),
            ))
            .abort_handle(),
            tokio::spawn(carry_to_client(inward, outward_receiver, state.clone())).abort_handle(),
        ];
        Ok(Self {
            address,
            state,
            outward,
            tasks,
        })
    }

    /// Leads a participant's media through this relay: for `ParticipantOptions::answer_filter`.
    pub fn answer_filter(&self) -> AnswerFilter {
        let (address, state) = (self.address, self.state.clone());
        Arc::new(move |sdp| {
            let (sdp, server) = with_candidate(sdp, address);
            if server.is_some() {
                *state.server.lock().unwrap_or_else(PoisonError::into_inner) = server;
            }
            sdp
        })
    }

    /// Lose every n-th packet of media on its way to the server; 0 loses none.
    pub fn lose_to_server(&self, every: u32) {
        self.state.lose_to_server.store(every, Relaxed);
    }

    /// Lose every n-th packet of media on its way to the client; 0 loses none.
    pub fn lose_to_client(&self, every: u32) {
        self.state.lose_to_client.store(every, Relaxed);
    }

    /// From now on the network is like this, in both directions. What it does follows from the seed.
    pub fn set_conditions(&self, conditions: Conditions, seed: u64) {
        for (fate, seed) in [
            (&self.state.fate_to_server, 2 * seed),
            (&self.state.fate_to_client, 2 * seed + 1),
        ] {
            *fate.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(Fate::new(conditions, seed));
        }
    }

    /// From now on nothing is carried at all, as when a phone is in a tunnel.
    pub fn fall_silent(&self) {
        let nothing = Conditions {
            loss: 1.0,
            ..Conditions::default()
        };
        self.set_conditions(nothing, 0);
    }

    /// Packets of media lost so far, to the server and to the client.
    pub fn lost(&self) -> (u64, u64) {
        (
            self.state.lost_to_server.load(Relaxed),
            self.state.lost_to_client.load(Relaxed),
        )
    }

    /// Send bytes to the server that come, for all it can see, from the client.
    pub async fn inject(&self, datagram: &[u8]) -> Result<()> {
        let server = *self
            .state
            .server
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let server = server.context("no answer has come through yet")?;
        let outward = self.outward.borrow().clone();
        outward.send_to(datagram, server).await?;
        Ok(())
    }

    /// The server's address for media, once an answer has come through.
    pub fn server(&self) -> Option<SocketAddr> {
        *self
            .state
            .server
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the server sees another address of the client, as when a phone changes networks. What
    /// the server sends to the old one is lost.
    pub async fn change_address(&self) -> Result<()> {
        self.outward.send_replace(outward_socket().await?);
        Ok(())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

async fn outward_socket() -> Result<Arc<UdpSocket>> {
    Ok(Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?))
}

async fn carry_to_server(
    inward: Arc<UdpSocket>,
    outward: watch::Receiver<Arc<UdpSocket>>,
    state: Arc<State>,
) {
    let mut datagram = [0; DATAGRAM];
    loop {
        // An error is that of an earlier datagram whose receiver is gone.
        let Ok((length, from)) = inward.recv_from(&mut datagram).await else {
            continue;
        };
        *state.client.lock().unwrap_or_else(PoisonError::into_inner) = Some(from);
        let server = *state.server.lock().unwrap_or_else(PoisonError::into_inner);
        let datagram = &datagram[..length];
        let is_lost = loses(
            datagram,
            &state.lose_to_server,
            &state.media_to_server,
            &state.lost_to_server,
        );
        if let (Some(server), false) = (server, is_lost) {
            let outward = outward.borrow().clone();
            let fate = fate_of_next(&state.fate_to_server);
            carry(outward, datagram, server, fate, &state.lost_to_server).await;
        }
    }
}

async fn carry_to_client(
    inward: Arc<UdpSocket>,
    mut outward: watch::Receiver<Arc<UdpSocket>>,
    state: Arc<State>,
) {
    let mut datagram = [0; DATAGRAM];
    loop {
        let socket = outward.borrow_and_update().clone();
        let received = tokio::select! {
            received = socket.recv_from(&mut datagram) => received,
            changed = outward.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        let Ok((length, _)) = received else { continue };
        let client = *state.client.lock().unwrap_or_else(PoisonError::into_inner);
        let datagram = &datagram[..length];
        let is_lost = loses(
            datagram,
            &state.lose_to_client,
            &state.media_to_client,
            &state.lost_to_client,
        );
        if let (Some(client), false) = (client, is_lost) {
            let fate = fate_of_next(&state.fate_to_client);
            carry(
                inward.clone(),
                datagram,
                client,
                fate,
                &state.lost_to_client,
            )
            .await;
        }
    }
}

/// How long the next datagram is on its way; `None` if it is lost.
fn fate_of_next(fate: &Mutex<Option<Fate>>) -> Option<Duration> {
    let mut fate = fate.lock().unwrap_or_else(PoisonError::into_inner);
    fate.as_mut().map_or(Some(Duration::ZERO), Fate::next)
}

/// Carry a datagram, or lose it. What takes a while does not hold up what comes after.
async fn carry(
    socket: Arc<UdpSocket>,
    datagram: &[u8],
    to: SocketAddr,
    fate: Option<Duration>,
    lost: &AtomicU64,
) {
    // A datagram may be lost: that is what datagrams are.
    match fate {
        None => {
            lost.fetch_add(u64::from(is_media(datagram)), Relaxed);
        }
        Some(Duration::ZERO) => {
            let _ = socket.send_to(datagram, to).await;
        }
        Some(after) => {
            let datagram = datagram.to_vec();
            tokio::spawn(async move {
                tokio::time::sleep(after).await;
                let _ = socket.send_to(&datagram, to).await;
            });
        }
    }
}

fn loses(datagram: &[u8], every: &AtomicU32, media: &AtomicU64, lost: &AtomicU64) -> bool {
    if !is_media(datagram) {
        return false;
    }
    let number = media.fetch_add(1, Relaxed) + 1;
    let every = u64::from(every.load(Relaxed));
    let is_lost = every > 0 && number.is_multiple_of(every);
    lost.fetch_add(u64::from(is_lost), Relaxed);
    is_lost
}

/// RTP, but not RTCP, as RFC 5761 and RFC 7983 tell them apart.
fn is_media(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, second, ..] if !(192..=223).contains(second))
}

/// The SDP with its candidates led to `address`, and the address of the first of them.
fn with_candidate(sdp: &str, address: SocketAddr) -> (String, Option<SocketAddr>) {
    let mut server = None;
    let lines = sdp.split_inclusive("\r\n").map(|line| {
        let mut words: Vec<&str> = line.split(' ').collect();
        let is_udp = line.starts_with("a=candidate:")
            && words.len() >= 6
            && words[2].eq_ignore_ascii_case("udp");
        if !is_udp {
            return line.to_owned();
        }
        let Ok(candidate) = format!("{}:{}", words[4], words[5]).parse() else {
            return line.to_owned();
        };
        server.get_or_insert(candidate);
        let (ip, port) = (address.ip().to_string(), address.port().to_string());
        (words[4], words[5]) = (&ip, &port);
        words.join(" ")
    });
    (lines.collect(), server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_led_through_the_relay() {
        let sdp = "v=0\r\na=candidate:1 1 udp 2130706431 127.0.0.1 7882 typ host\r\na=mid:0\r\n";
        let (sdp, server) = with_candidate(sdp, "127.0.0.1:9".parse().unwrap());
        assert_eq!(
            sdp,
            "v=0\r\na=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\na=mid:0\r\n"
        );
        assert_eq!(server, Some("127.0.0.1:7882".parse().unwrap()));
    }

    #[test]
    fn only_media_is_lost() {
        let (every, media, lost) = (AtomicU32::new(1), AtomicU64::new(0), AtomicU64::new(0));
        let lost_bytes =
            |first: u8, second: u8| loses(&[first, second, 0, 0], &every, &media, &lost);
        assert!(lost_bytes(0x80, 96) && lost_bytes(0x90, 0x80 | 111));
        assert!(!lost_bytes(0x80, 200), "RTCP");
        assert!(!lost_bytes(0x00, 1), "STUN");
        assert!(!lost_bytes(22, 254), "DTLS");
        assert_eq!(lost.load(Relaxed), 2);
    }

    #[tokio::test]
    async fn a_changed_address_is_seen_by_the_server_and_the_way_back_still_leads_to_the_client() {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let relay = Relay::start().await.unwrap();
        let port = server.local_addr().unwrap().port();
        relay.answer_filter()(&format!(
            "a=candidate:1 1 udp 1 127.0.0.1 {port} typ host\r\n"
        ));
        let mut seen = Vec::new();
        for _ in 0..2 {
            let mut datagram = [0; 8];
            client.send_to(b"there", relay.address).await.unwrap();
            let (length, from) = server.recv_from(&mut datagram).await.unwrap();
            assert_eq!(&datagram[..length], b"there");
            server.send_to(b"back", from).await.unwrap();
            let (length, _) = client.recv_from(&mut datagram).await.unwrap();
            assert_eq!(&datagram[..length], b"back");
            seen.push(from);
            relay.change_address().await.unwrap();
        }
        assert_ne!(seen[0], seen[1]);
    }
}
