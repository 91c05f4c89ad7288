//! DTLS 1.2, always as the server (RFC 5764): proves the client's fingerprint, and gives the SRTP keys.
//! It knows no address: whoever feeds it has checked where a record came from.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use rtc::crypto::{CryptoError, HashAlgorithm, RTCCryptoProvider};
use rtc::dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc::dtls::crypto::Certificate;
use rtc::dtls::endpoint::{Endpoint, EndpointEvent};
use rtc::dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc::shared::error::Error;
use rtc::shared::{TransportContext, TransportProtocol};
use rtc::srtp::config::LABEL_EXTRACTOR_DTLS_SRTP;

use super::srtp::{Profile, Srtp};
use crate::Limits;
use crate::statistics::DropReason;

/// The endpoint is keyed by address. One placeholder for each peer's only association, so that a changed
/// address does not end the session.
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);

/// The server's certificate, with what it takes to use it.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) provider: Arc<dyn RTCCryptoProvider>,
    certificate: Certificate,
    /// `a=fingerprint`'s value: SHA-256, upper-case hexadecimal with colons.
    pub(crate) fingerprint: String,
}

impl Identity {
    /// A new self-signed certificate (ECDSA P-256).
    pub(crate) fn generate(provider: Arc<dyn RTCCryptoProvider>) -> Result<Self, Error> {
        let certificate =
            Certificate::generate_self_signed(vec!["plenum".to_owned()], provider.crypto())?;
        let hash = provider
            .crypto()
            .hash(HashAlgorithm::Sha256, certificate.certificate[0].as_ref())
            .map_err(|error| Error::Crypto(error.to_string()))?;
        let pairs: Vec<String> = hash.iter().map(|byte| format!("{byte:02X}")).collect();
        Ok(Self {
            provider,
            certificate,
            fingerprint: pairs.join(":"),
        })
    }
}

/// What came of a record.
pub(crate) enum DtlsEvent {
    /// The handshake is done, and the client is who its offer said.
    Connected(Box<Srtp>),
    /// An SCTP packet.
    Data(BytesMut),
    /// The client said goodbye.
    Closed,
}

/// One peer's DTLS association.
pub(crate) struct Dtls {
    identity: Identity,
    /// SHA-256 of the client's certificate, as its offer has it.
    remote_fingerprint: Vec<u8>,
    endpoint: Endpoint,
    profile: Profile,
    is_connected: bool,
    handshake_bytes: usize,
    /// The datagrams of the first flight, to be read again if the profile must change.
    first_flight: Vec<BytesMut>,
    transmits: VecDeque<BytesMut>,
}

impl Dtls {
    pub(crate) fn new(identity: Identity, remote_fingerprint: Vec<u8>) -> Result<Self, Error> {
        let profile = Profile::Aes128Gcm;
        let endpoint = endpoint(&identity, &remote_fingerprint, profile)?;
        Ok(Self {
            identity,
            remote_fingerprint,
            endpoint,
            profile,
            is_connected: false,
            handshake_bytes: 0,
            first_flight: Vec::new(),
            transmits: VecDeque::new(),
        })
    }

    /// Whether this is the fingerprint that the association was made for.
    pub(crate) fn is_for(&self, remote_fingerprint: &[u8]) -> bool {
        self.remote_fingerprint == remote_fingerprint
    }

    /// Read a datagram of records.
    pub(crate) fn handle(
        &mut self,
        now: Instant,
        datagram: &[u8],
        limits: &Limits,
    ) -> Result<Vec<DtlsEvent>, DropReason> {
        if !self.is_connected {
            self.handshake_bytes += datagram.len();
            if self.handshake_bytes > limits.handshake_bytes {
                return Err(DropReason::DtlsFailed);
            }
        }
        let result = match self.read(now, datagram) {
            Err(Error::ErrServerNoMatchingSrtpProfile) if self.profile == Profile::Aes128Gcm => {
                self.fall_back(now)
            }
            other => other,
        };
        let events = result.map_err(|error| {
            tracing::debug!(%error, "DTLS record refused");
            DropReason::DtlsFailed
        })?;
        while let Some(transmit) = self.endpoint.poll_transmit() {
            self.transmits.push_back(transmit.message);
        }
        let mut outcome = Vec::with_capacity(events.len());
        for event in events {
            match event {
                EndpointEvent::HandshakeComplete => {
                    self.is_connected = true;
                    self.first_flight = Vec::new();
                    let srtp = self.keys(limits).map_err(|error| {
                        tracing::debug!(%error, "SRTP keys not derived");
                        DropReason::DtlsFailed
                    })?;
                    outcome.push(DtlsEvent::Connected(Box::new(srtp)));
                }
                EndpointEvent::ApplicationData(data) => outcome.push(DtlsEvent::Data(data)),
                EndpointEvent::PeerClosed => outcome.push(DtlsEvent::Closed),
                _ => {}
            }
        }
        Ok(outcome)
    }

    fn read(&mut self, now: Instant, datagram: &[u8]) -> Result<Vec<EndpointEvent>, Error> {
        // Until the server has answered, the client's flight may have to be read anew (`fall_back`).
        let is_first_flight = !self.is_connected && self.endpoint.poll_timeout(&PEER).is_none();
        if is_first_flight {
            self.first_flight.push(BytesMut::from(datagram));
        }
        self.endpoint
            .read(now, PEER, None, BytesMut::from(datagram))
    }

    /// The client has no GCM: start over with the other profile, as if its flight had just come. The server
    /// takes the first profile of the *client's* list that it knows, and browsers list AES-CM first, so
    /// offering both would never give GCM.
    fn fall_back(&mut self, now: Instant) -> Result<Vec<EndpointEvent>, Error> {
        self.profile = Profile::Aes128CmSha1;
        self.endpoint = endpoint(&self.identity, &self.remote_fingerprint, self.profile)?;
        self.transmits.clear();
        let mut events = Vec::new();
        for datagram in std::mem::take(&mut self.first_flight) {
            events.extend(self.endpoint.read(now, PEER, None, datagram)?);
        }
        Ok(events)
    }

    fn keys(&self, limits: &Limits) -> Result<Srtp, CryptoError> {
        let crypto = self.identity.provider.crypto();
        let state = self
            .endpoint
            .get_connection_state(PEER)
            .ok_or(CryptoError::RandomnessFailed)?;
        let material = state
            .export_keying_material(
                LABEL_EXTRACTOR_DTLS_SRTP,
                &[],
                self.profile.keying_material(),
            )
            .map_err(|_| CryptoError::RandomnessFailed)?;
        Srtp::for_server(
            self.profile,
            material.as_ref(),
            limits.inbound_ssrcs,
            limits.replay_window,
            crypto,
        )
    }

    /// Send an SCTP packet.
    pub(crate) fn send(&mut self, now: Instant, data: &[u8]) {
        if let Err(error) = self.endpoint.write(now, PEER, data) {
            tracing::debug!(%error, "DTLS write refused");
        }
        while let Some(transmit) = self.endpoint.poll_transmit() {
            self.transmits.push_back(transmit.message);
        }
    }

    /// Say goodbye.
    pub(crate) fn close(&mut self, now: Instant) {
        self.endpoint.stop(now, PEER);
        while let Some(transmit) = self.endpoint.poll_transmit() {
            self.transmits.push_back(transmit.message);
        }
    }

    /// Repeat a lost flight if it is time.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self
            .endpoint
            .poll_timeout(&PEER)
            .is_some_and(|due| due <= now)
        {
            if let Err(error) = self.endpoint.handle_timeout(PEER, now) {
                tracing::debug!(%error, "DTLS flight given up");
            }
            while let Some(transmit) = self.endpoint.poll_transmit() {
                self.transmits.push_back(transmit.message);
            }
        }
    }

    /// The next datagram to send.
    pub(crate) fn poll_transmit(&mut self) -> Option<BytesMut> {
        self.transmits.pop_front()
    }
}

fn endpoint(
    identity: &Identity,
    remote_fingerprint: &[u8],
    profile: Profile,
) -> Result<Endpoint, Error> {
    let config = config(identity, remote_fingerprint.to_vec(), profile)?;
    Ok(Endpoint::new(
        TransportContext::default().local_addr,
        TransportProtocol::UDP,
        Some(Arc::new(config)),
    ))
}

fn config(
    identity: &Identity,
    expected: Vec<u8>,
    profile: Profile,
) -> Result<HandshakeConfig, Error> {
    let provider = identity.provider.clone();
    let profile = match profile {
        Profile::Aes128Gcm => SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
        Profile::Aes128CmSha1 => SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
    };
    ConfigBuilder::default()
        .with_crypto_provider(identity.provider.clone())
        .with_certificates(vec![identity.certificate.clone()])
        .with_srtp_protection_profiles(vec![profile])
        .with_client_auth(ClientAuthType::RequireAnyClientCert)
        // There is no certificate authority between peers: the fingerprint in the signalled offer is the proof.
        .with_insecure_skip_verify(true)
        .with_verify_peer_certificate(Some(Arc::new(move |certificates: &[Vec<u8>], _| {
            let certificate = certificates
                .first()
                .ok_or(Error::ErrNoMatchingCertificateFingerprint)?;
            let actual = provider
                .crypto()
                .hash(HashAlgorithm::Sha256, certificate)
                .map_err(|error| Error::Crypto(error.to_string()))?;
            if actual == expected {
                Ok(())
            } else {
                Err(Error::ErrNoMatchingCertificateFingerprint)
            }
        })))
        .with_extended_master_secret(ExtendedMasterSecretType::Require)
        .build(false, None)
}

#[cfg(test)]
mod tests;
