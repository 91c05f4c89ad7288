//! Data channels (RFC 8831, RFC 8832) of one peer: SCTP over its DTLS. The client opens the channels;
//! this side confirms them, gives what arrives, and writes to a channel by its label.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use rtc::datachannel::data_channel::DataChannel;
use rtc::datachannel::message::Message;
use rtc::datachannel::message::message_channel_ack::DataChannelAck;
use rtc::sctp::{
    Association, DatagramEvent, Endpoint, EndpointConfig, Event, Payload,
    PayloadProtocolIdentifier, ServerConfig, StreamEvent, StreamId, TransportConfig,
};
use rtc::shared::TransportProtocol;
use rtc::shared::marshal::{Marshal, Unmarshal};

use crate::Limits;
use crate::statistics::DropReason;

/// SCTP's endpoint, too, wants an address to key its associations by.
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);

/// Bytes of a channel's label; browsers allow 65,535.
const LABEL_BYTES: usize = 128;

/// What a message is, as its payload protocol identifier says (RFC 8831 section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageKind {
    /// UTF-8.
    Text,
    /// Bytes.
    Binary,
}

/// A message from the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DataMessage {
    /// The label of the channel it came on.
    pub(crate) label: String,
    pub(crate) kind: MessageKind,
    pub(crate) payload: Bytes,
}

/// One peer's SCTP association and its channels.
pub(crate) struct Data {
    endpoint: Endpoint,
    association: Option<(rtc::sctp::AssociationHandle, Association)>,
    /// Open channels.
    channels: BTreeMap<StreamId, String>,
    channel_limit: usize,
    message_limit: usize,
    buffer_limit: usize,
}

impl Data {
    pub(crate) fn new(limits: &Limits) -> Self {
        let transport = TransportConfig::default()
            .with_max_message_size(limits.data_message_bytes as u32)
            .with_max_receive_buffer_size(limits.data_buffered_bytes as u32)
            .with_max_num_inbound_streams(1024)
            .with_max_num_outbound_streams(1024);
        Self {
            endpoint: Endpoint::new(
                PEER,
                TransportProtocol::UDP,
                EndpointConfig::default().into(),
                Some(ServerConfig::new(transport).into()),
            ),
            association: None,
            channels: BTreeMap::new(),
            channel_limit: limits.data_channels,
            message_limit: limits.data_message_bytes,
            buffer_limit: limits.data_buffered_bytes,
        }
    }

    /// Read an SCTP packet. Gives the messages that are complete, and how many were refused.
    pub(crate) fn handle(&mut self, now: Instant, packet: BytesMut) -> (Vec<DataMessage>, u64) {
        if let Some((handle, event)) = self.endpoint.handle(now, PEER, None, packet.freeze()) {
            match event {
                DatagramEvent::NewAssociation(association) if self.association.is_none() => {
                    self.association = Some((handle, association));
                }
                DatagramEvent::AssociationEvent(event) => {
                    if let Some((_, association)) = self
                        .association
                        .as_mut()
                        .filter(|(known, _)| *known == handle)
                    {
                        association.handle_event(event);
                    }
                }
                _ => {}
            }
        }
        self.drain(now)
    }

    /// Do what is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> (Vec<DataMessage>, u64) {
        match &mut self.association {
            Some((_, association)) if association.poll_timeout().is_some_and(|due| due <= now) => {
                association.handle_timeout(now);
                self.drain(now)
            }
            _ => (Vec::new(), 0),
        }
    }

    fn drain(&mut self, now: Instant) -> (Vec<DataMessage>, u64) {
        let mut messages = Vec::new();
        let mut refused = 0;
        let Some((handle, association)) = &mut self.association else {
            return (messages, refused);
        };
        let mut readable = Vec::new();
        while let Some(event) = association.poll() {
            match event {
                Event::Stream(StreamEvent::Readable { id }) if !readable.contains(&id) => {
                    readable.push(id)
                }
                Event::Stream(StreamEvent::Finished { id } | StreamEvent::Stopped { id, .. }) => {
                    self.channels.remove(&id);
                }
                Event::AssociationLost { .. } => self.channels.clear(),
                _ => {}
            }
        }
        // A chunk that comes with the end of SCTP's handshake is announced before the handshake is done.
        if association.is_handshaking() {
            return (messages, refused);
        }
        for id in association.stream_ids() {
            if !readable.contains(&id) && !self.channels.contains_key(&id) {
                readable.push(id);
            }
        }
        for id in readable {
            loop {
                let Ok(mut stream) = association.stream(id) else {
                    break;
                };
                let Ok(Some(chunks)) = stream.read_sctp() else {
                    break;
                };
                let Ok(payload) = chunks.to_payload(self.message_limit) else {
                    refused += 1;
                    continue;
                };
                match chunks.ppi {
                    PayloadProtocolIdentifier::Dcep => {
                        if !open_channel(
                            now,
                            association,
                            id,
                            &payload,
                            &mut self.channels,
                            self.channel_limit,
                        ) {
                            refused += 1;
                        }
                    }
                    kind => {
                        let Some(label) = self.channels.get(&id) else {
                            refused += 1;
                            continue;
                        };
                        messages.extend(message(label, kind, payload.freeze()));
                    }
                }
            }
        }
        while let Some(event) = association.poll_endpoint_event() {
            self.endpoint.handle_event(*handle, event);
        }
        let is_over = association.is_closed() || association.is_drained();
        if is_over {
            self.association = None;
            self.channels.clear();
        }
        (messages, refused)
    }

    /// Write a message to the channel with this label.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        label: &str,
        kind: MessageKind,
        payload: &Bytes,
    ) -> Result<bool, DropReason> {
        let Some(id) = self
            .channels
            .iter()
            .find(|(_, name)| *name == label)
            .map(|(id, _)| *id)
        else {
            return Ok(false);
        };
        let Some((_, association)) = &mut self.association else {
            return Ok(false);
        };
        let mut stream = association.stream(id).map_err(|_| DropReason::Data)?;
        let waiting = stream.buffered_amount().unwrap_or(usize::MAX);
        if waiting.saturating_add(payload.len()) > self.buffer_limit {
            return Err(DropReason::Data);
        }
        // SCTP carries no empty message: one byte stands for it (RFC 8831 section 6.6).
        let (identifier, payload) = match (kind, payload.is_empty()) {
            (MessageKind::Text, false) => (PayloadProtocolIdentifier::String, payload.clone()),
            (MessageKind::Binary, false) => (PayloadProtocolIdentifier::Binary, payload.clone()),
            (MessageKind::Text, true) => (
                PayloadProtocolIdentifier::StringEmpty,
                Bytes::from_static(&[0]),
            ),
            (MessageKind::Binary, true) => (
                PayloadProtocolIdentifier::BinaryEmpty,
                Bytes::from_static(&[0]),
            ),
        };
        stream
            .write_chunk_with_ppi(now, &payload, identifier)
            .map_err(|_| DropReason::Data)?;
        Ok(true)
    }

    /// Whether something is due some time, if nothing comes before: an association at rest has no timers.
    pub(crate) fn wants_timeouts(&self) -> bool {
        let association = self.association.as_ref();
        association.is_some_and(|(_, association)| association.poll_timeout().is_some())
    }

    /// The next SCTP packets to send.
    pub(crate) fn poll_transmit(&mut self, now: Instant) -> Option<Vec<Bytes>> {
        let (_, association) = self.association.as_mut()?;
        match association.poll_transmit(now)?.message {
            Payload::RawEncode(packets) => Some(packets),
            _ => None,
        }
    }
}

fn message(label: &str, kind: PayloadProtocolIdentifier, payload: Bytes) -> Option<DataMessage> {
    let (kind, payload) = match kind {
        PayloadProtocolIdentifier::String => (MessageKind::Text, payload),
        PayloadProtocolIdentifier::Binary => (MessageKind::Binary, payload),
        PayloadProtocolIdentifier::StringEmpty => (MessageKind::Text, Bytes::new()),
        PayloadProtocolIdentifier::BinaryEmpty => (MessageKind::Binary, Bytes::new()),
        _ => return None,
    };
    Some(DataMessage {
        label: label.to_owned(),
        kind,
        payload,
    })
}

/// A DCEP message on a stream: take the channel's label and reliability, and confirm it.
fn open_channel(
    now: Instant,
    association: &mut Association,
    id: StreamId,
    payload: &[u8],
    channels: &mut BTreeMap<StreamId, String>,
    limit: usize,
) -> bool {
    let Ok(Message::DataChannelOpen(open)) = Message::unmarshal(&mut &payload[..]) else {
        return false;
    };
    let Ok(label) = String::from_utf8(open.label.to_vec()) else {
        return false;
    };
    if label.len() > LABEL_BYTES || (channels.len() >= limit && !channels.contains_key(&id)) {
        return false;
    }
    let Ok(mut stream) = association.stream(id) else {
        return false;
    };
    let (unordered, reliability) = DataChannel::get_reliability_params(open.channel_type);
    let acknowledgement = Message::DataChannelAck(DataChannelAck {});
    let Ok(acknowledgement) = acknowledgement.marshal() else {
        return false;
    };
    // The confirmation itself is always reliable and ordered (RFC 8832 section 6): sent before the
    // channel's own parameters are set.
    let sent = stream.write_chunk_with_ppi(
        now,
        &acknowledgement.freeze(),
        PayloadProtocolIdentifier::Dcep,
    );
    let set = stream.set_reliability_params(unordered, reliability, open.reliability_parameter);
    if sent.is_err() || set.is_err() {
        return false;
    }
    channels.insert(id, label);
    true
}
