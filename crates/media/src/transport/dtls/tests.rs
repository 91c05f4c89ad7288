//! Handshakes in memory, with the client of `rtc::dtls`.

use std::time::Duration;

use rtc::crypto::providers::RingProvider;
use rtc::dtls::extension::extension_use_srtp::SrtpProtectionProfile as Wire;
use rtc::srtp::context::Context;
use rtc::srtp::protection_profile::ProtectionProfile;

use super::super::srtp::OutboundIndex;
use super::*;
use crate::test_time;

fn identity() -> Identity {
    Identity::generate(Arc::new(RingProvider::new())).unwrap()
}

fn fingerprint(identity: &Identity) -> Vec<u8> {
    let pairs = identity.fingerprint.split(':');
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

struct Handshake {
    server: Dtls,
    client: Endpoint,
    now: Instant,
}

impl Handshake {
    /// A client with this certificate and these profiles meets a server that expects this fingerprint.
    fn new(client: &Identity, profiles: &[Wire], expected: Vec<u8>) -> Self {
        let now = test_time::start();
        let config = ConfigBuilder::default()
            .with_crypto_provider(client.provider.clone())
            .with_certificates(vec![client.certificate.clone()])
            .with_srtp_protection_profiles(profiles.to_vec())
            .with_insecure_skip_verify(true)
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .build(true, None)
            .unwrap();
        let mut endpoint = Endpoint::new(PEER, TransportProtocol::UDP, None);
        endpoint.connect(now, PEER, Arc::new(config), None).unwrap();
        Self {
            server: Dtls::new(identity(), expected).unwrap(),
            client: endpoint,
            now,
        }
    }

    /// Carry datagrams to and fro. Gives the server's keys if it came to that.
    fn run(&mut self) -> Option<Box<Srtp>> {
        let mut keys = None;
        for _ in 0..20 {
            while let Some(transmit) = self.client.poll_transmit() {
                let events = self
                    .server
                    .handle(self.now, &transmit.message, &Limits::default());
                for event in events.into_iter().flatten() {
                    if let DtlsEvent::Connected(srtp) = event {
                        keys = Some(srtp);
                    }
                }
            }
            while let Some(datagram) = self.server.poll_transmit() {
                let _ = self.client.read(self.now, PEER, None, datagram);
            }
            self.now += Duration::from_millis(10);
        }
        keys
    }

    /// The client opens what the server seals.
    fn assert_same_keys(&self, mut keys: Box<Srtp>, profile: Profile, theirs: ProtectionProfile) {
        let state = self.client.get_connection_state(PEER).unwrap();
        let material = state
            .export_keying_material(LABEL_EXTRACTOR_DTLS_SRTP, &[], profile.keying_material())
            .unwrap();
        let (both_keys, salts) = material.as_ref().split_at(2 * Profile::KEY);
        let (key, salt) = (&both_keys[Profile::KEY..], &salts[profile.salt()..]);
        let crypto = RingProvider::new();
        let mut client = Context::new(key, salt, theirs, None, None, crypto.crypto()).unwrap();
        let plain = [0x80, 96, 0, 7, 0, 0, 0, 1, 0, 0, 0, 9, 1, 2, 3, 4];
        let mut sealed = plain.to_vec();
        keys.seal_rtp(&mut OutboundIndex::default(), &mut sealed, 0, 9, 7, 12);
        assert_eq!(client.decrypt_rtp(&sealed).unwrap(), plain[..]);
    }
}

#[test]
fn a_browser_that_lists_aes_cm_first_gets_gcm_all_the_same() {
    let client = identity();
    let profiles = [
        Wire::Srtp_Aes128_Cm_Hmac_Sha1_80,
        Wire::Srtp_Aead_Aes_128_Gcm,
    ];
    let mut handshake = Handshake::new(&client, &profiles, fingerprint(&client));
    let keys = handshake.run().expect("a handshake");
    handshake.assert_same_keys(keys, Profile::Aes128Gcm, ProtectionProfile::AeadAes128Gcm);
}

#[test]
fn a_client_without_gcm_gets_aes_cm() {
    let client = identity();
    let profiles = [Wire::Srtp_Aes128_Cm_Hmac_Sha1_80];
    let mut handshake = Handshake::new(&client, &profiles, fingerprint(&client));
    let keys = handshake.run().expect("a handshake");
    handshake.assert_same_keys(
        keys,
        Profile::Aes128CmSha1,
        ProtectionProfile::Aes128CmHmacSha1_80,
    );
}

#[test]
fn a_certificate_that_the_offer_did_not_name_gets_no_keys() {
    let client = identity();
    let mut handshake = Handshake::new(
        &client,
        &[Wire::Srtp_Aead_Aes_128_Gcm],
        fingerprint(&identity()),
    );
    assert!(handshake.run().is_none());
}

#[test]
fn endless_handshake_bytes_are_refused() {
    let client = identity();
    let mut handshake = Handshake::new(
        &client,
        &[Wire::Srtp_Aead_Aes_128_Gcm],
        fingerprint(&client),
    );
    let record = vec![22u8; 1_200];
    let now = handshake.now;
    let refused = (0..100).map(|_| {
        handshake
            .server
            .handle(now, &record, &Limits::default())
            .is_err()
    });
    assert!(refused.last().unwrap());
    assert!(handshake.run().is_none(), "and the handshake is over");
}
