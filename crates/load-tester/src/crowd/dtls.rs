//! DTLS 1.2 of one client (RFC 5764), as whichever side was agreed on: proves the server's fingerprint,
//! and gives the SRTP keys. It knows no address.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use bytes::BytesMut;
use rtc::crypto::providers::RingProvider;
use rtc::crypto::{HashAlgorithm, RTCCrypto, RTCCryptoProvider};
use rtc::dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc::dtls::crypto::Certificate;
use rtc::dtls::endpoint::{Endpoint, EndpointEvent};
use rtc::dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc::shared::error::Error;
use rtc::shared::{TransportContext, TransportProtocol};
use rtc::srtp::config::{Config, LABEL_EXTRACTOR_DTLS_SRTP};
use rtc::srtp::protection_profile::ProtectionProfile;

/// The endpoint is keyed by address: one placeholder for the only association.
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);

/// When the first flight is repeated as long as nothing is heard, as quickly as browsers do: Janus drops it
/// until word of the nomination has gone through its threads. `rtc-dtls` repeats after a second, without
/// slowing down, and gives up soon: told to be quicker it would fail at a server under load.
const HELLO: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
];

/// The crowd's certificate: one for all, since drawing one for each would be the generator's cost and not
/// the server's.
pub(super) struct Identity {
    provider: Arc<dyn RTCCryptoProvider>,
    certificate: Certificate,
    /// `a=fingerprint`'s value.
    pub(super) fingerprint: String,
}

impl Identity {
    pub(super) fn generate() -> Result<Self> {
        let provider: Arc<dyn RTCCryptoProvider> = Arc::new(RingProvider::new());
        let names = vec!["plenum-load".to_owned()];
        let certificate = Certificate::generate_self_signed(names, provider.crypto())?;
        let hash = provider
            .crypto()
            .hash(HashAlgorithm::Sha256, certificate.certificate[0].as_ref())
            .map_err(|error| anyhow!("no fingerprint: {error}"))?;
        let pairs: Vec<String> = hash.iter().map(|byte| format!("{byte:02X}")).collect();
        Ok(Self {
            provider,
            certificate,
            fingerprint: pairs.join(":"),
        })
    }

    pub(super) fn crypto(&self) -> &dyn RTCCrypto {
        self.provider.crypto()
    }

    fn config(&self, is_client: bool, expected: Vec<u8>) -> Result<Arc<HandshakeConfig>> {
        let provider = self.provider.clone();
        let verify = move |certificates: &[Vec<u8>], _: &[_]| {
            let certificate = certificates.first();
            let certificate = certificate.ok_or(Error::ErrNoMatchingCertificateFingerprint)?;
            let actual = provider
                .crypto()
                .hash(HashAlgorithm::Sha256, certificate)
                .map_err(|error| Error::Crypto(error.to_string()))?;
            match actual == expected {
                true => Ok(()),
                false => Err(Error::ErrNoMatchingCertificateFingerprint),
            }
        };
        let config = ConfigBuilder::default()
            .with_crypto_provider(self.provider.clone())
            .with_certificates(vec![self.certificate.clone()])
            // The server takes one of these; the first is the cheaper by far.
            .with_srtp_protection_profiles(vec![
                SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
                SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
            ])
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            // The fingerprint in the description is the proof, as between browsers.
            .with_insecure_skip_verify(true)
            .with_verify_peer_certificate(Some(Arc::new(verify)))
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .build(is_client, None)?;
        Ok(Arc::new(config))
    }
}

/// What came of a record.
pub(super) enum DtlsEvent {
    /// The handshake is done.
    Connected(Box<Config>),
    /// The server said goodbye.
    Closed,
}

/// The DTLS association of one client.
pub(super) struct Dtls {
    endpoint: Endpoint,
    is_client: bool,
    hello: Hello,
}

/// A client's first flight, one datagram, and when it is sent once more.
#[derive(Default)]
struct Hello {
    datagram: Option<BytesMut>,
    due: Option<Instant>,
    repeated: usize,
    is_waiting: bool,
}

impl Hello {
    fn sent(&mut self, now: Instant, datagram: BytesMut) {
        self.datagram = Some(datagram);
        self.due = Some(now + HELLO[0]);
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.due.is_some_and(|due| due <= now) {
            self.is_waiting = true;
            self.repeated += 1;
            self.due = HELLO.get(self.repeated).map(|after| now + *after);
        }
    }

    fn poll_transmit(&mut self) -> Option<BytesMut> {
        let is_waiting = std::mem::take(&mut self.is_waiting);
        self.datagram.clone().filter(|_| is_waiting)
    }
}

impl Dtls {
    /// A client begins at once: its first flight waits in `poll_transmit`.
    pub(super) fn begin(
        now: Instant,
        identity: &Identity,
        is_client: bool,
        fingerprint: Vec<u8>,
    ) -> Result<Self> {
        let config = identity.config(is_client, fingerprint)?;
        let local = TransportContext::default().local_addr;
        let server_config = (!is_client).then(|| config.clone());
        let mut endpoint = Endpoint::new(local, TransportProtocol::UDP, server_config);
        if is_client {
            endpoint.connect(now, PEER, config, None)?;
        }
        let mut hello = Hello::default();
        if let Some(first) = endpoint.poll_transmit() {
            hello.sent(now, first.message);
            hello.is_waiting = true;
        }
        Ok(Self {
            endpoint,
            is_client,
            hello,
        })
    }

    /// Read a datagram of records.
    pub(super) fn handle(&mut self, now: Instant, datagram: &[u8]) -> Result<Option<DtlsEvent>> {
        // It was heard.
        self.hello = Hello::default();
        let events = self
            .endpoint
            .read(now, PEER, None, BytesMut::from(datagram))
            .context("the DTLS handshake failed")?;
        for event in events {
            match event {
                EndpointEvent::HandshakeComplete => {
                    return Ok(Some(DtlsEvent::Connected(Box::new(self.keys()?))));
                }
                EndpointEvent::PeerClosed => return Ok(Some(DtlsEvent::Closed)),
                _ => {}
            }
        }
        Ok(None)
    }

    fn keys(&self) -> Result<Config> {
        let state = self.endpoint.get_connection_state(PEER);
        let state = state.context("no DTLS association")?;
        let profile = match state.srtp_protection_profile() {
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => ProtectionProfile::AeadAes128Gcm,
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => {
                ProtectionProfile::Aes128CmHmacSha1_80
            }
            other => bail!("the server chose an SRTP profile that was not offered: {other:?}"),
        };
        let mut config = Config {
            profile,
            ..Config::default()
        };
        let material = state
            .export_keying_material(LABEL_EXTRACTOR_DTLS_SRTP, &[], config.keying_material_len())
            .map_err(|error| anyhow!("no keys from the DTLS handshake: {error}"))?;
        config.set_session_keys_from_keying_material(material.as_ref(), self.is_client)?;
        Ok(config)
    }

    /// When a lost flight is to be repeated.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let timeouts = [self.endpoint.poll_timeout(&PEER), self.hello.due];
        timeouts.into_iter().flatten().min()
    }

    /// Repeat a lost flight if it is time. It is an error if it was repeated often enough.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Result<()> {
        self.hello.handle_timeout(now);
        let due = self.endpoint.poll_timeout(&PEER);
        if due.is_some_and(|due| due <= now) {
            let repeated = self.endpoint.handle_timeout(PEER, now);
            repeated.context("the server does not answer the DTLS handshake")?;
        }
        Ok(())
    }

    /// Say goodbye.
    pub(super) fn close(&mut self, now: Instant) {
        self.endpoint.stop(now, PEER);
    }

    /// The next datagram to send.
    pub(super) fn poll_transmit(&mut self) -> Option<BytesMut> {
        if let Some(hello) = self.hello.poll_transmit() {
            return Some(hello);
        }
        let transmit = self.endpoint.poll_transmit()?;
        Some(transmit.message)
    }
}
