//! How bytes reach one peer: ICE, DTLS, SRTP, SCTP, put together for a server that never dials.
//! The only folder that names the WebRTC stack's types. It never knows what the bytes are for.

mod data;
mod dtls;
pub(crate) mod ice;
mod outbox;
mod replay;
pub(crate) mod rtcp;
mod srtp;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use rtc::crypto::RTCCryptoProvider;
use rtc::crypto::providers::RingProvider;

pub(crate) use data::{DataMessage, MessageKind};
pub(crate) use ice::{Credentials, Path};
pub(crate) use outbox::Outbox;
pub(crate) use srtp::OutboundIndex;

use crate::limits::Limits;
use crate::statistics::DropReason;
use crate::transmit::Transmit;
use data::Data;
use dtls::{Dtls, DtlsEvent};
use ice::{Checked, Ice};
use srtp::Srtp;

/// What all peers of an engine share: the certificate, and the cryptography.
#[derive(Clone)]
pub(crate) struct Identity(dtls::Identity);

impl Identity {
    /// A new certificate.
    pub(crate) fn generate() -> Result<Self, String> {
        let provider: Arc<dyn RTCCryptoProvider> = Arc::new(RingProvider::new());
        dtls::Identity::generate(provider)
            .map(Self)
            .map_err(|error| error.to_string())
    }

    /// The value of `a=fingerprint:sha-256`.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.0.fingerprint
    }

    /// Unpredictable bytes.
    pub(crate) fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        if self.0.provider.random().fill(&mut bytes).is_err() {
            // Without randomness no secret can be made: worse than ending the process.
            panic!("the operating system gives no random bytes");
        }
        bytes
    }
}

/// What came of a datagram.
#[derive(Debug)]
pub(crate) enum TransportEvent {
    /// The client is proven, and media may flow.
    Connected,
    /// Messages on data channels, and how many were refused.
    Data {
        messages: Vec<DataMessage>,
        refused: u64,
    },
    /// The client said goodbye.
    Closed,
}

/// The way to and from one peer.
#[repr(C, align(64))] // What each packet needs comes first: see `Peer`.
pub(crate) struct Transport {
    srtp: Option<Box<Srtp>>,
    outbox: Outbox,
    pub(crate) ice: Ice,
    identity: Identity,
    dtls: Option<Dtls>,
    data: Data,
}

impl Transport {
    pub(crate) fn new(
        now: Instant,
        identity: Identity,
        credentials: Credentials,
        limits: &Limits,
    ) -> Self {
        Self {
            identity,
            ice: Ice::new(now, credentials),
            dtls: None,
            srtp: None,
            data: Data::new(limits),
            outbox: Outbox::default(),
        }
    }

    /// Whether media may flow.
    pub(crate) fn is_connected(&self) -> bool {
        self.srtp.is_some()
    }

    /// As after a handshake, under keys that nobody else has: for tests of what comes after it.
    #[cfg(test)]
    pub(crate) fn connect_for_a_test(&mut self, limits: &Limits) {
        let material = [7; 56];
        let srtp = Srtp::for_server(
            srtp::Profile::Aes128Gcm,
            &material,
            limits.inbound_ssrcs,
            limits.replay_window,
            self.identity.0.provider.crypto(),
        );
        self.srtp = Some(Box::new(srtp.unwrap()));
    }

    /// The client's certificate must have this SHA-256 fingerprint. It may not change: another certificate is
    /// another client.
    pub(crate) fn expect_fingerprint(&mut self, fingerprint: &[u8]) -> Result<(), String> {
        match &self.dtls {
            Some(dtls) if dtls.is_for(fingerprint) => Ok(()),
            Some(_) => Err("the DTLS fingerprint changed; use a new peer connection number for a new RTCPeerConnection".into()),
            None => {
                let dtls = Dtls::new(self.identity.0.clone(), fingerprint.to_vec());
                self.dtls = Some(dtls.map_err(|error| error.to_string())?);
                Ok(())
            }
        }
    }

    /// A STUN request by this path. The answer goes back the same way, whatever path is nominated.
    pub(crate) fn handle_stun(
        &mut self,
        now: Instant,
        path: Path,
        datagram: &[u8],
    ) -> Result<Checked, DropReason> {
        self.ice
            .handle_request(now, path, datagram, self.identity.0.provider.crypto())
    }

    /// DTLS records from a validated address.
    pub(crate) fn handle_dtls(
        &mut self,
        now: Instant,
        datagram: &[u8],
        limits: &Limits,
    ) -> Result<Vec<TransportEvent>, DropReason> {
        let dtls = self.dtls.as_mut().ok_or(DropReason::NotConnected)?;
        let mut events = Vec::new();
        for event in dtls.handle(now, datagram, limits)? {
            match event {
                DtlsEvent::Connected(srtp) => {
                    self.srtp = Some(srtp);
                    events.push(TransportEvent::Connected);
                }
                DtlsEvent::Data(packet) => {
                    let (messages, refused) = self.data.handle(now, packet);
                    events.push(TransportEvent::Data { messages, refused });
                }
                DtlsEvent::Closed => events.push(TransportEvent::Closed),
            }
        }
        self.collect(now);
        Ok(events)
    }

    /// Open an RTP packet in place; gives its plain length.
    pub(crate) fn open_rtp(&mut self, packet: &mut [u8]) -> Result<usize, DropReason> {
        let srtp = self.srtp.as_mut().ok_or(DropReason::NotConnected)?;
        let header = header_length(packet).ok_or(DropReason::Malformed)?;
        let sequence_number = u16::from_be_bytes([packet[2], packet[3]]);
        let ssrc = u32::from_be_bytes([packet[8], packet[9], packet[10], packet[11]]);
        srtp.open_rtp(packet, ssrc, sequence_number, header)
    }

    /// Open an RTCP packet in place; gives its plain length.
    pub(crate) fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, DropReason> {
        self.srtp
            .as_mut()
            .ok_or(DropReason::NotConnected)?
            .open_rtcp(packet)
    }

    /// Send an RTP packet: `write` appends it and gives the length of its header.
    pub(crate) fn send_rtp(
        &mut self,
        position: &mut OutboundIndex,
        ssrc: u32,
        sequence_number: u16,
        write: impl FnOnce(&mut Vec<u8>) -> usize,
    ) {
        let Some(srtp) = &mut self.srtp else { return };
        let start = self.outbox.buffer.len();
        let header = write(&mut self.outbox.buffer);
        srtp.seal_rtp(
            position,
            &mut self.outbox.buffer,
            start,
            ssrc,
            sequence_number,
            header,
        );
        self.outbox.finish();
    }

    /// Send an RTCP packet: `write` appends it.
    pub(crate) fn send_rtcp(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let Some(srtp) = &mut self.srtp else { return };
        let start = self.outbox.buffer.len();
        write(&mut self.outbox.buffer);
        if self.outbox.buffer.len() > start {
            srtp.seal_rtcp(&mut self.outbox.buffer, start);
            self.outbox.finish();
        }
    }

    /// Write to the data channel with this label; false if the client has none.
    pub(crate) fn send_data(
        &mut self,
        now: Instant,
        label: &str,
        kind: MessageKind,
        payload: &Bytes,
    ) -> Result<bool, DropReason> {
        let sent = self.data.send(now, label, kind, payload)?;
        self.collect(now);
        Ok(sent)
    }

    /// Do what is due: a lost DTLS flight, SCTP's timers.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<TransportEvent> {
        if self.srtp.is_none() {
            self.dtls.as_mut()?.handle_timeout(now);
        }
        let (messages, refused) = self.data.handle_timeout(now);
        self.collect(now);
        (!messages.is_empty() || refused > 0).then_some(TransportEvent::Data { messages, refused })
    }

    /// Whether `handle_timeout` has anything to look after.
    pub(crate) fn wants_timeouts(&self) -> bool {
        self.srtp.is_none() || self.data.wants_timeouts()
    }

    /// Say goodbye.
    pub(crate) fn close(&mut self, now: Instant) {
        if let Some(dtls) = &mut self.dtls {
            dtls.close(now);
        }
        self.collect(now);
    }

    fn collect(&mut self, now: Instant) {
        let Some(dtls) = &mut self.dtls else { return };
        while let Some(packets) = self.data.poll_transmit(now) {
            for packet in packets {
                dtls.send(now, &packet);
            }
        }
        while let Some(datagram) = dtls.poll_transmit() {
            self.outbox.push(&datagram);
        }
    }

    /// Whether anything waits to be sent.
    pub(crate) fn has_output(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Hand out what waits, by the path in use.
    pub(crate) fn flush(&mut self, send: &mut impl FnMut(Transmit<'_>)) {
        self.outbox.flush(self.ice.path(), send);
        self.outbox.shrink();
    }

    /// See `Peer::fetch`.
    pub(crate) fn fetch(&self) -> u64 {
        let srtp = self.srtp.as_ref().map_or(0, |srtp| srtp.fetch());
        srtp ^ u64::from(self.ice.path().is_some())
    }

    /// Write into another outbox from now on; what waited is in `other`.
    pub(crate) fn swap_outbox(&mut self, other: &mut Outbox) {
        std::mem::swap(&mut self.outbox, other);
    }

    /// What waits, for a transport that is at its end.
    pub(crate) fn take_outbox(&mut self) -> Outbox {
        std::mem::take(&mut self.outbox)
    }
}

/// Bytes of an RTP packet that are in the clear: fixed header, CSRCs, and the extension block.
fn header_length(packet: &[u8]) -> Option<usize> {
    let sources = 12 + 4 * usize::from(packet.first()? & 0x0F);
    if packet[0] & 0x10 == 0 {
        return (packet.len() >= sources).then_some(sources);
    }
    let words = packet.get(sources + 2..sources + 4)?;
    let length = sources + 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
    (packet.len() >= length).then_some(length)
}

/// The kind of a datagram, by its first byte (RFC 7983).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DatagramKind {
    Stun,
    Dtls,
    /// RTP or RTCP, told apart by the second byte (RFC 5761).
    Media,
}

/// What a datagram is.
pub(crate) fn classify(datagram: &[u8]) -> Option<DatagramKind> {
    match datagram {
        [0..=3, ..] if datagram.len() >= 20 => Some(DatagramKind::Stun),
        [20..=63, ..] if datagram.len() >= 13 => Some(DatagramKind::Dtls),
        [128..=191, ..] if datagram.len() >= 12 => Some(DatagramKind::Media),
        _ => None,
    }
}
