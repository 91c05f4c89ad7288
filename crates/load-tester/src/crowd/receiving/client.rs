//! One client, as its receiving thread has it: connects, and says to the server what receivers say. It sends no
//! media; what comes of it is in `media`.

mod media;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::BytesMut;
use rtc::srtp::config::Config;
use tokio::sync::watch;

use super::account::Account;
use super::arrivals::Arrivals;
use super::feedback::{self, Wish};
use super::stream::Stream;
use super::{Desk, Opening};
use crate::crowd::dtls::{Dtls, DtlsEvent};
use crate::crowd::ice::{Ice, IceEvent};
use crate::crowd::socket::Socket;
use crate::crowd::srtp::{Opener, Sealer, profile_name};
use crate::crowd::track_number::TrackNumber;
use crate::crowd::{Member, Payload, Receiving, Remote, Sending, State, clock, sending};

/// Between receiver reports.
const REPORTS: Duration = Duration::from_secs(1);
/// Between feedback for congestion control, as browsers have it.
const FEEDBACK: Duration = Duration::from_millis(100);
/// ICE and DTLS take no longer, or have failed: a little less than servers wait, so that we can say which.
const CONNECTING: Duration = Duration::from_secs(9);

pub(super) struct Client {
    id: u64,
    pub(super) socket: Arc<Socket>,
    pub(super) takes_bundles: bool,
    /// The timer that is set for it.
    pub(super) timer: Option<Instant>,
    member: Arc<Member>,
    state: watch::Sender<State>,
    ice: Ice,
    remote: Option<Remote>,
    address: Option<SocketAddr>,
    dtls: Option<Dtls>,
    give_up_at: Option<Instant>,
    opener: Option<Opener>,
    sealer: Option<Sealer>,
    /// Sealing for the sending thread, until there is something to send.
    sending_sealer: Option<Sealer>,
    sending: Vec<Sending>,
    /// By payload type.
    payloads: [Option<Payload>; 128],
    streams: Vec<Stream>,
    /// Places in `streams`.
    by_ssrc: HashMap<u32, usize>,
    accounts: Vec<(TrackNumber, Account)>,
    own_ssrc: u32,
    next_report: Option<Instant>,
    /// The extension on which feedback is given, and what it is about.
    transport_cc: Option<u8>,
    arrivals: Arrivals,
    next_feedback: Option<Instant>,
    connected_us: u64,
    has_packet: bool,
    has_key_frame: bool,
}

impl Client {
    pub(super) fn new(now: Instant, opening: Opening) -> Self {
        Self {
            id: opening.id,
            takes_bundles: opening.socket.takes_bundles(),
            socket: opening.socket,
            timer: None,
            member: opening.member,
            state: opening.state,
            ice: Ice::new(now, opening.ufrag, opening.password),
            remote: None,
            address: None,
            dtls: None,
            give_up_at: None,
            opener: None,
            sealer: None,
            sending_sealer: None,
            sending: Vec::new(),
            payloads: [None; 128],
            streams: Vec::new(),
            by_ssrc: HashMap::new(),
            accounts: Vec::new(),
            own_ssrc: rand::random::<u32>().max(1),
            next_report: None,
            transport_cc: None,
            arrivals: Arrivals::default(),
            next_feedback: None,
            connected_us: 0,
            has_packet: false,
            has_key_frame: false,
        }
    }

    /// The server's description is known.
    pub(super) fn connect(&mut self, now: Instant, remote: Remote) {
        let Remote {
            ufrag,
            password,
            addresses,
            controlling,
            ..
        } = &remote;
        match self
            .ice
            .begin(now, ufrag, password, addresses, *controlling)
        {
            Ok(()) => {
                self.remote.get_or_insert(remote);
                self.give_up_at.get_or_insert(now + CONNECTING);
            }
            Err(error) => self.fail(format!("{error:#}")),
        }
    }

    pub(super) fn set_receiving(&mut self, receiving: &Receiving) {
        self.transport_cc = receiving.transport_cc;
        self.payloads = [None; 128];
        for (number, payload) in &receiving.payload_types {
            if let Some(place) = self.payloads.get_mut(usize::from(*number)) {
                *place = Some(*payload);
            }
        }
    }

    pub(super) fn set_sending(&mut self, sending: Vec<Sending>, desk: &mut Desk) {
        self.sending = sending;
        self.start_sending(desk);
    }

    /// When `handle_timeout` has something to do.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        if matches!(*self.state.borrow(), State::Failed(_)) {
            return None;
        }
        // The handshake is over when there are keys.
        let is_connecting = self.opener.is_none();
        let dtls = self.dtls.as_ref().filter(|_| is_connecting);
        let dtls = dtls.and_then(Dtls::poll_timeout);
        let connecting = self.give_up_at.filter(|_| is_connecting);
        let (report, feedback) = (self.next_report, self.next_feedback);
        [self.ice.poll_timeout(), dtls, connecting, report, feedback]
            .into_iter()
            .flatten()
            .min()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, desk: &mut Desk) {
        let mut out = Vec::new();
        let checked = self
            .ice
            .handle_timeout(now, desk.identity.crypto(), &mut out);
        self.send_all(out);
        let repeated = self
            .dtls
            .as_mut()
            .map_or(Ok(()), |dtls| dtls.handle_timeout(now));
        self.flush_dtls();
        if let Err(error) = checked.and(repeated) {
            return self.fail(format!("{error:#}"));
        }
        if self.opener.is_none() && self.give_up_at.is_some_and(|due| due <= now) {
            let reached = if self.address.is_some() {
                "DTLS"
            } else {
                "ICE"
            };
            let seconds = CONNECTING.as_secs();
            return self.fail(format!(
                "media was not connected after {seconds} s: {reached} did not finish"
            ));
        }
        if self.next_report.is_some_and(|due| due <= now) {
            self.next_report = Some(now + REPORTS);
            self.report(now);
        }
        if self.next_feedback.is_some_and(|due| due <= now) {
            self.next_feedback = None;
            let media_ssrc = self.streams.first().map_or(0, |stream| stream.ssrc);
            let feedback = self.arrivals.feedback(self.own_ssrc, media_ssrc);
            self.send_rtcp(feedback);
        }
    }

    pub(super) fn handle_datagram(
        &mut self,
        now: Instant,
        now_us: u64,
        from: SocketAddr,
        datagram: &mut [u8],
        desk: &mut Desk,
    ) {
        // RFC 7983: who a datagram is for, by its first byte.
        match datagram {
            [128..=191, 192..=223, ..] => self.handle_rtcp(datagram, desk),
            [128..=191, ..] => self.handle_rtp(now, now_us, datagram, desk),
            [0..=3, ..] => self.handle_stun(now, from, datagram, desk),
            [20..=63, ..] => self.handle_dtls(now, datagram, desk),
            _ => {}
        }
    }

    fn handle_stun(&mut self, now: Instant, from: SocketAddr, datagram: &[u8], desk: &mut Desk) {
        let mut out = Vec::new();
        let crypto = desk.identity.crypto();
        let event = self.ice.handle(now, from, datagram, crypto, &mut out);
        self.send_all(out);
        let Some(IceEvent::Selected(address)) = event else {
            return;
        };
        self.address = Some(address);
        if let Some(remote) = &self.remote
            && self.dtls.is_none()
        {
            let (is_client, fingerprint) = (remote.dtls_client, remote.fingerprint.clone());
            match Dtls::begin(now, &desk.identity, is_client, fingerprint) {
                Ok(dtls) => self.dtls = Some(dtls),
                Err(error) => self.fail(format!("{error:#}")),
            }
        }
        self.flush_dtls();
    }

    fn handle_dtls(&mut self, now: Instant, datagram: &[u8], desk: &mut Desk) {
        let Some(dtls) = &mut self.dtls else {
            return;
        };
        let event = dtls.handle(now, datagram);
        self.flush_dtls();
        let connected = match event {
            Ok(Some(DtlsEvent::Connected(config))) => self.set_keys(now, &config, desk),
            Ok(Some(DtlsEvent::Closed)) => {
                return self.fail("the server ended the media".to_owned());
            }
            Ok(None) => Ok(()),
            // A forged record must not end a connection that stands.
            Err(_) if self.opener.is_some() => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = connected {
            self.fail(format!("{error:#}"));
        }
    }

    fn set_keys(&mut self, now: Instant, config: &Config, desk: &mut Desk) -> Result<()> {
        let crypto = desk.identity.crypto();
        self.opener = Some(Opener::new(config, crypto)?);
        self.sealer = Some(Sealer::new(config, crypto)?);
        self.sending_sealer = Some(Sealer::new(config, crypto)?);
        // Reports of many clients are spread over the second.
        let offset = Duration::from_millis(u64::from(rand::random::<u16>() % 1_000));
        self.next_report = Some(now + offset);
        self.connected_us = clock::microseconds(now);
        self.member.note_connected(now);
        desk.srtp_profiles.insert(profile_name(config));
        self.state
            .send_replace(State::Connected(profile_name(config)));
        self.start_sending(desk);
        Ok(())
    }

    fn start_sending(&mut self, desk: &mut Desk) {
        if self.sending.is_empty() {
            return;
        }
        if let (Some(sealer), Some(address)) = (self.sending_sealer.take(), self.address) {
            desk.sender
                .tell(sending::Command::Start(Box::new(sending::Start {
                    id: self.id,
                    member: self.member.clone(),
                    socket: self.socket.clone(),
                    address,
                    sealer,
                    sending: std::mem::take(&mut self.sending),
                })));
        }
    }

    fn handle_rtcp(&mut self, datagram: &[u8], desk: &mut Desk) {
        let opened = self
            .opener
            .as_mut()
            .and_then(|opener| opener.open_rtcp(datagram));
        let Some(packet) = opened else {
            return;
        };
        for wish in feedback::wishes(packet) {
            desk.sender.tell(match wish {
                Wish::KeyFrame(ssrc) => sending::Command::KeyFrame(self.id, ssrc),
                Wish::Again(ssrc, numbers) => sending::Command::Again(self.id, ssrc, numbers),
            });
        }
    }

    /// Tell the server what came, and ask for the key frames that are missing.
    fn report(&mut self, now: Instant) {
        let mut packets = Vec::new();
        let mut reports = Vec::new();
        for stream in &mut self.streams {
            reports.extend(stream.report());
            if stream.key_frame_due.is_some_and(|due| due <= now) {
                stream.ask_again(now);
                packets.extend(feedback::key_frame_request(self.own_ssrc, stream.ssrc));
            }
        }
        packets.extend(feedback::receiver_reports(self.own_ssrc, reports));
        self.send_rtcp(packets);
    }

    fn send_rtcp(&mut self, packets: impl IntoIterator<Item = BytesMut>) {
        let (Some(sealer), Some(address)) = (&mut self.sealer, self.address) else {
            return;
        };
        for packet in packets {
            if let Some(sealed) = sealer.seal_rtcp(&packet) {
                self.socket.send(address, &sealed);
            }
        }
    }

    pub(super) fn close(&mut self, now: Instant) {
        if let Some(dtls) = &mut self.dtls {
            dtls.close(now);
        }
        self.flush_dtls();
    }

    fn flush_dtls(&mut self) {
        let (Some(dtls), Some(address)) = (&mut self.dtls, self.address) else {
            return;
        };
        while let Some(datagram) = dtls.poll_transmit() {
            self.socket.send(address, &datagram);
        }
    }

    fn send_all(&self, out: Vec<(SocketAddr, Vec<u8>)>) {
        for (to, datagram) in out {
            self.socket.send(to, &datagram);
        }
    }

    fn fail(&mut self, reason: String) {
        self.state.send_if_modified(|state| {
            let is_first = !matches!(state, State::Failed(_));
            if is_first {
                *state = State::Failed(reason);
            }
            is_first
        });
    }
}
