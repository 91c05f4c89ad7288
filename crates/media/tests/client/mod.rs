//! A WebRTC client in memory: offers, proves its address, shakes hands, seals and opens. For tests and
//! measurements of an engine through its public face. It never opens a socket.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use media::{Command, Engine, Event};
use protocol::{ParticipantId, PeerId};
use rtc::crypto::providers::RingProvider;
use rtc::crypto::{HashAlgorithm, RTCCryptoProvider};
use rtc::dtls::config::{ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc::dtls::crypto::Certificate;
use rtc::dtls::endpoint::Endpoint;
use rtc::dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc::shared::TransportProtocol;
use rtc::srtp::config::LABEL_EXTRACTOR_DTLS_SRTP;
use rtc::srtp::context::Context;
use rtc::srtp::protection_profile::ProtectionProfile;
use rtc::stun::attributes::{ATTR_ICE_CONTROLLING, ATTR_USE_CANDIDATE, ATTR_USERNAME};
use rtc::stun::fingerprint::FINGERPRINT;
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{BINDING_REQUEST, Message, Setter, TransactionId};
use rtc::stun::textattrs::TextAttribute;

/// The endpoint of `rtc-dtls` is keyed by address.
const SERVER: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7882);

/// AES-128-GCM: two keys of 16 bytes, two salts of 12.
const KEY: usize = 16;
const SALT: usize = 12;

/// What all clients share: making a certificate for each would take longer than anything else.
#[derive(Clone)]
pub struct Credentials {
    provider: Arc<dyn RTCCryptoProvider>,
    dtls: Arc<HandshakeConfig>,
    fingerprint: String,
}

impl Credentials {
    pub fn new() -> Self {
        let provider: Arc<dyn RTCCryptoProvider> = Arc::new(RingProvider::new());
        let certificate =
            Certificate::generate_self_signed(vec!["client".into()], provider.crypto()).unwrap();
        let hash = provider
            .crypto()
            .hash(HashAlgorithm::Sha256, certificate.certificate[0].as_ref())
            .unwrap();
        let pairs: Vec<String> = hash.iter().map(|byte| format!("{byte:02X}")).collect();
        let dtls = ConfigBuilder::default()
            .with_crypto_provider(provider.clone())
            .with_certificates(vec![certificate])
            .with_srtp_protection_profiles(vec![SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm])
            .with_insecure_skip_verify(true)
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .build(true, None)
            .unwrap();
        Self {
            provider,
            dtls: Arc::new(dtls),
            fingerprint: pairs.join(":"),
        }
    }
}

/// A media section of a client's offer.
#[derive(Clone, Copy)]
pub enum Section {
    /// Sends Opus under this SSRC.
    SendAudio(u32),
    /// Sends VP8 under this SSRC.
    SendVideo(u32),
    /// Sends two simulcast layers of VP8 under these SSRCs, the lower one first.
    SendSimulcast([u32; 2]),
    ReceiveAudio,
    ReceiveVideo,
    /// Sends RED or Opus under this SSRC.
    SendRed(u32),
    /// Reads RED, under numbers that nobody else has.
    ReceiveRed,
    /// Receives video, and tells when each packet arrived.
    ReceiveVideoWithFeedback,
}

/// The number of the audio level extension in every offer.
pub const AUDIO_LEVEL: u8 = 1;
/// The number of the transport-wide sequence number extension in offers with feedback.
pub const TRANSPORT_NUMBER: u8 = 3;
pub const OPUS: u8 = 111;
pub const RED: u8 = 63;
/// The numbers of a client that reads RED.
pub const ITS_RED: u8 = 50;
pub const ITS_OPUS: u8 = 51;
pub const VP8: u8 = 96;

/// An offer with these sections; the mid of each is its index.
pub fn offer(credentials: &Credentials, sections: &[Section]) -> String {
    let mids: Vec<String> = (0..sections.len()).map(|mid| mid.to_string()).collect();
    let mut text = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {}\r\n",
        mids.join(" ")
    );
    for (mid, section) in sections.iter().enumerate() {
        let (media, direction, ssrc) = match section {
            Section::SendAudio(ssrc) => ("audio", "sendonly", Some(ssrc)),
            Section::SendVideo(ssrc) => ("video", "sendonly", Some(ssrc)),
            Section::SendSimulcast(_) => ("video", "sendonly", None),
            Section::ReceiveAudio => ("audio", "recvonly", None),
            Section::SendRed(ssrc) => ("audio", "sendonly", Some(ssrc)),
            Section::ReceiveRed => ("audio", "recvonly", None),
            Section::ReceiveVideo | Section::ReceiveVideoWithFeedback => {
                ("video", "recvonly", None)
            }
        };
        let (red, opus) = match section {
            Section::ReceiveRed => (Some(ITS_RED), ITS_OPUS),
            Section::SendRed(_) => (Some(RED), OPUS),
            _ => (None, OPUS),
        };
        let red_format = red.map(|red| format!(" {red}")).unwrap_or_default();
        let red_lines = red
            .map(|red| format!("a=rtpmap:{red} red/48000/2\r\na=fmtp:{red} {opus}/{opus}\r\n"))
            .unwrap_or_default();
        let codecs = match media {
            "audio" => format!(
                "m=audio 9 UDP/TLS/RTP/SAVPF{red_format} {opus}\r\na=rtpmap:{opus} opus/48000/2\r\n{red_lines}\
                 a=extmap:{AUDIO_LEVEL} urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n"
            ),
            _ => format!(
                "m=video 9 UDP/TLS/RTP/SAVPF {VP8} 97\r\na=rtpmap:{VP8} VP8/90000\r\n\
                 a=rtcp-fb:{VP8} nack\r\na=rtcp-fb:{VP8} nack pli\r\n\
                 a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt={VP8}\r\n"
            ),
        };
        text += &codecs;
        if matches!(section, Section::ReceiveVideoWithFeedback) {
            text += &format!(
                "a=rtcp-fb:{VP8} transport-cc\r\na=extmap:{TRANSPORT_NUMBER} \
                 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n"
            );
        }
        text += &format!(
            "c=IN IP4 0.0.0.0\r\na=mid:{mid}\r\na={direction}\r\na=rtcp-mux\r\na=rtcp-rsize\r\n\
             a=setup:actpass\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdef01234567\r\n\
             a=fingerprint:sha-256 {}\r\n",
            credentials.fingerprint
        );
        if let Some(ssrc) = ssrc {
            text += &format!("a=ssrc:{ssrc} cname:client\r\n");
        }
        if let Section::SendSimulcast([low, high]) = section {
            text += &format!(
                "a=ssrc-group:SIM {low} {high}\r\na=ssrc:{low} cname:client\r\n\
                 a=ssrc:{high} cname:client\r\n"
            );
        }
    }
    text
}

/// A connected client.
pub struct Client {
    pub peer: PeerId,
    pub address: SocketAddr,
    seals: Context,
    opens: Context,
}

impl Client {
    /// Open a peer, let it offer these sections, and connect it. Events of others on the way are passed over.
    pub fn connect(
        engine: &mut Engine,
        now: Instant,
        credentials: &Credentials,
        number: u32,
        before: Vec<Command>,
        sections: &[Section],
    ) -> Self {
        let peer = PeerId::from_bits(number.into());
        let [_, high, middle, low] = number.to_be_bytes();
        let address = SocketAddr::from(([10, high, middle, low], 5_000));
        engine.handle_command(
            now,
            Command::OpenPeer {
                peer,
                participant: ParticipantId::from_bits(number.into()),
                data_group: 1,
                publishes_data: false,
            },
        );
        for command in before {
            engine.handle_command(now, command);
        }
        let sdp = offer(credentials, sections);
        engine.handle_command(now, Command::Offer { peer, sdp });
        let answer = std::iter::from_fn(|| engine.poll_event())
            .find_map(|event| match event {
                Event::Answered {
                    peer: whose, sdp, ..
                } if whose == peer => Some(sdp),
                _ => None,
            })
            .expect("an answer");
        let mut check = check(credentials, &answer);
        engine.handle_datagram(now, address, None, &mut check);
        let (seals, opens) = shake_hands(engine, now, credentials, address);
        Self {
            peer,
            address,
            seals,
            opens,
        }
    }

    /// A packet as it goes over the wire.
    pub fn seal(&mut self, plain: &[u8]) -> Vec<u8> {
        self.seals.encrypt_rtp(plain).unwrap().to_vec()
    }

    /// An RTCP packet as it goes over the wire.
    pub fn seal_rtcp(&mut self, plain: &[u8]) -> Vec<u8> {
        self.seals.encrypt_rtcp(plain).unwrap().to_vec()
    }

    /// A packet as it was before; an error if it is not for this client, or comes twice.
    pub fn open(&mut self, sealed: &[u8]) -> Result<BytesMut, String> {
        self.opens
            .decrypt_rtp(sealed)
            .map_err(|error| error.to_string())
    }
}

fn value<'a>(sdp: &'a str, name: &str) -> &'a str {
    sdp.lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap()
}

/// An authenticated check that nominates its path.
fn check(credentials: &Credentials, answer: &str) -> Vec<u8> {
    let mut message = Message::new();
    message.transaction_id = TransactionId([7; 12]);
    message.set_type(BINDING_REQUEST);
    message.write_header();
    let name = format!("{}:abcd", value(answer, "a=ice-ufrag:"));
    TextAttribute::new(ATTR_USERNAME, name)
        .add_to(&mut message)
        .unwrap();
    message.add(ATTR_ICE_CONTROLLING, &[0; 8]);
    message.add(ATTR_USE_CANDIDATE, &[]);
    let password = value(answer, "a=ice-pwd:").as_bytes();
    MessageIntegrity::new_raw_integrity_with_provider(password, credentials.provider.crypto())
        .add_to(&mut message)
        .unwrap();
    FINGERPRINT.add_to(&mut message).unwrap();
    message.raw
}

/// DTLS to and fro: the contexts that seal and open.
fn shake_hands(
    engine: &mut Engine,
    now: Instant,
    credentials: &Credentials,
    address: SocketAddr,
) -> (Context, Context) {
    let mut endpoint = Endpoint::new(SERVER, TransportProtocol::UDP, None);
    endpoint
        .connect(now, SERVER, credentials.dtls.clone(), None)
        .unwrap();
    for _ in 0..10 {
        while let Some(transmit) = endpoint.poll_transmit() {
            engine.handle_datagram(now, address, None, &mut transmit.message.to_vec());
        }
        let mut answers = Vec::new();
        engine.flush(now, |transmit| {
            if transmit.to == address && (20..64).contains(&transmit.contents[0]) {
                let size = transmit.segment_size.unwrap_or(transmit.contents.len());
                answers.extend(transmit.contents.chunks(size).map(BytesMut::from));
            }
        });
        for answer in answers {
            let _ = endpoint.read(now, SERVER, None, answer);
        }
    }
    let state = endpoint.get_connection_state(SERVER).expect("a handshake");
    let material = state
        .export_keying_material(LABEL_EXTRACTOR_DTLS_SRTP, &[], 2 * KEY + 2 * SALT)
        .unwrap();
    let (keys, salts) = material.as_ref().split_at(2 * KEY);
    let context = |side: usize| {
        Context::new(
            &keys[side * KEY..][..KEY],
            &salts[side * SALT..][..SALT],
            ProtectionProfile::AeadAes128Gcm,
            None,
            None,
            credentials.provider.crypto(),
        )
        .unwrap()
    };
    (context(0), context(1))
}

/// An RTP packet with this payload, and with an audio level if it is Opus.
pub fn packet(
    payload_type: u8,
    marker: bool,
    sequence_number: u16,
    timestamp: u32,
    ssrc: u32,
    payload: &[u8],
) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type | u8::from(marker) << 7];
    packet.extend_from_slice(&sequence_number.to_be_bytes());
    packet.extend_from_slice(&timestamp.to_be_bytes());
    packet.extend_from_slice(&ssrc.to_be_bytes());
    if payload_type == OPUS || payload_type == RED {
        packet[0] |= 0x10;
        packet.extend_from_slice(&[0xBE, 0xDE, 0, 1, AUDIO_LEVEL << 4, 0x80 | 40, 0, 0]);
    }
    packet.extend_from_slice(payload);
    packet
}

/// The same packet of sound at another level: decibels below the loudest (RFC 6464).
pub fn with_level(mut packet: Vec<u8>, level: u8) -> Vec<u8> {
    packet[17] = 0x80 | level;
    packet
}

/// The payload of one packet of a VP8 frame with a 15-bit picture id (RFC 7741 section 4.2).
pub fn vp8_payload(picture_id: u16, is_first: bool, is_key_frame: bool, bytes: usize) -> Vec<u8> {
    let [high, low] = picture_id.to_be_bytes();
    let first = if is_first { 0x90 } else { 0x80 };
    let mut payload = vec![first, 0x80, 0x80 | high, low, u8::from(!is_key_frame)];
    payload.resize(bytes, 7);
    payload
}
