//! A WebRTC client in memory: offers, proves its address, shakes hands, seals and opens. For tests and
//! measurements of an engine through its public face. It never opens a socket.

// Not every test has use for all of it.
#![allow(dead_code, unreachable_pub, unused_imports, clippy::unwrap_used)]

mod packets;
mod scene;
mod sections;

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

pub use packets::{is_rtcp, packet, payload, vp8_payload, with_level};
pub use scene::{datagrams, engine, engine_of, publish, publish_in, subscribe};
pub use sections::{
    AUDIO_LEVEL, ITS_OPUS, ITS_RED, OPUS, RED, Section, TRANSPORT_NUMBER, VP8, offer,
};

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

    /// Sends a packet to the engine.
    pub fn send(&mut self, engine: &mut Engine, now: Instant, plain: &[u8]) {
        let mut sealed = self.seal(plain);
        engine.handle_datagram(now, self.address, None, &mut sealed);
    }

    /// Sends an RTCP packet to the engine.
    pub fn send_rtcp(&mut self, engine: &mut Engine, now: Instant, plain: &[u8]) {
        let mut sealed = self.seal_rtcp(plain);
        engine.handle_datagram(now, self.address, None, &mut sealed);
    }

    /// An RTCP packet as it goes over the wire.
    pub fn seal_rtcp(&mut self, plain: &[u8]) -> Vec<u8> {
        self.seals.encrypt_rtcp(plain).unwrap().to_vec()
    }

    /// An RTCP packet as it was before; `None` if it is something else.
    pub fn open_rtcp(&mut self, sealed: &[u8]) -> Option<BytesMut> {
        let is_rtcp = sealed[0] >> 6 == 2 && (192..=223).contains(&sealed[1]);
        is_rtcp.then(|| self.opens.decrypt_rtcp(sealed).ok())?
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
        for (to, answer) in datagrams(engine, now) {
            // DTLS by its first byte (RFC 7983).
            if to == address && (20..64).contains(&answer[0]) {
                let _ = endpoint.read(now, SERVER, None, BytesMut::from(&answer[..]));
            }
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
