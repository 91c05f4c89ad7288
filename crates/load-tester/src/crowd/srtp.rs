//! SRTP and SRTCP of one client: opens what the server sends, seals what it is sent. It keeps no replay
//! window: a packet that comes twice is to be seen twice.
//!
//! RTP in AES-GCM is opened and sealed in place here, since that is what a load of a hundred thousand
//! packets a second consists of; the rest is left to `rtc-srtp`, which allocates and copies each packet.

use anyhow::{Result, anyhow};
use rtc::crypto::{AeadAlgorithm, AeadCipher, RTCCrypto, StreamCipherAlgorithm};
use rtc::srtp::config::Config;
use rtc::srtp::context::Context;
use rtc::srtp::protection_profile::ProtectionProfile;

const GCM_TAG: usize = 16;

/// AES-128-GCM with the session keys of one direction (RFC 7714).
struct Gcm {
    cipher: Box<dyn AeadCipher>,
    salt: [u8; 12],
}

impl Gcm {
    fn derive(key: &[u8], salt: &[u8], crypto: &dyn RTCCrypto) -> Result<Self> {
        let (mut session_key, mut session_salt) = ([0; 16], [0; 12]);
        derive(key, salt, 0, &mut session_key, crypto)?;
        derive(key, salt, 2, &mut session_salt, crypto)?;
        let cipher = crypto.new_aead(AeadAlgorithm::Aes128Gcm, &session_key);
        Ok(Self {
            cipher: cipher.map_err(|error| anyhow!("no AES-GCM: {error}"))?,
            salt: session_salt,
        })
    }

    /// RFC 7714 section 8.1.
    fn nonce(&self, ssrc: u32, index: u64) -> [u8; 12] {
        let mut nonce = self.salt;
        let index = index.to_be_bytes();
        let mask = ssrc
            .to_be_bytes()
            .into_iter()
            .chain(index[2..].iter().copied());
        for (byte, mask) in nonce[2..].iter_mut().zip(mask) {
            *byte ^= mask;
        }
        nonce
    }
}

/// RFC 3711 section 4.3, with a rate of zero; a salt of 96 bits counts as 112 with zeros at the end.
fn derive(
    key: &[u8],
    salt: &[u8],
    label: u8,
    output: &mut [u8],
    crypto: &dyn RTCCrypto,
) -> Result<()> {
    let mut counter = [0; 16];
    counter[..salt.len()].copy_from_slice(salt);
    counter[7] ^= label;
    crypto
        .new_stream_cipher(StreamCipherAlgorithm::Aes128Ctr, key)
        .and_then(|mut cipher| cipher.apply_keystream(&counter, output))
        .map_err(|error| anyhow!("no SRTP keys: {error}"))
}

fn context(key: &[u8], salt: &[u8], config: &Config, crypto: &dyn RTCCrypto) -> Result<Context> {
    Ok(Context::new(key, salt, config.profile, None, None, crypto)?)
}

/// Opens what the server sends.
pub(super) struct Opener {
    gcm: Option<Gcm>,
    other: Context,
}

impl Opener {
    pub(super) fn new(config: &Config, crypto: &dyn RTCCrypto) -> Result<Self> {
        let (key, salt) = (
            &config.keys.remote_master_key,
            &config.keys.remote_master_salt,
        );
        Ok(Self {
            gcm: gcm(config, key, salt, crypto)?,
            other: context(key, salt, config, crypto)?,
        })
    }

    /// Open an RTP packet in place: `header` bytes of header, then what is sealed. `index` is the rollover
    /// counter and the sequence number. Gives the length of the plain packet.
    pub(super) fn open_rtp(
        &mut self,
        packet: &mut [u8],
        header: usize,
        ssrc: u32,
        index: u64,
    ) -> Option<usize> {
        let Some(gcm) = &mut self.gcm else {
            let plain = self.other.decrypt_rtp(packet).ok()?;
            packet.get_mut(..plain.len())?.copy_from_slice(&plain);
            return Some(plain.len());
        };
        let length = packet.len().checked_sub(GCM_TAG)?;
        let nonce = gcm.nonce(ssrc, index);
        let (plain, tag) = packet.split_at_mut(length);
        let (clear, sealed) = plain.split_at_mut_checked(header)?;
        gcm.cipher.open_in_place(&nonce, clear, sealed, tag).ok()?;
        Some(length)
    }

    /// Open an RTCP packet.
    pub(super) fn open_rtcp(&mut self, packet: &[u8]) -> Option<bytes::Bytes> {
        Some(self.other.decrypt_rtcp(packet).ok()?.freeze())
    }
}

/// Seals what the server is sent: RTP or RTCP of some SSRCs, each of which is sealed by one `Sealer` alone.
pub(super) struct Sealer {
    gcm: Option<Gcm>,
    other: Context,
}

impl Sealer {
    pub(super) fn new(config: &Config, crypto: &dyn RTCCrypto) -> Result<Self> {
        let (key, salt) = (
            &config.keys.local_master_key,
            &config.keys.local_master_salt,
        );
        Ok(Self {
            gcm: gcm(config, key, salt, crypto)?,
            other: context(key, salt, config, crypto)?,
        })
    }

    /// Seal the RTP packet that is the end of `buffer`, from `start` on, and append its tag. Gives false,
    /// and leaves the buffer as it was, for what is no packet.
    pub(super) fn seal_rtp(
        &mut self,
        buffer: &mut Vec<u8>,
        start: usize,
        header: usize,
        ssrc: u32,
        index: u64,
    ) -> bool {
        let Some(gcm) = &mut self.gcm else {
            let Ok(sealed) = self.other.encrypt_rtp(&buffer[start..]) else {
                return false;
            };
            buffer.truncate(start);
            buffer.extend_from_slice(&sealed);
            return true;
        };
        let nonce = gcm.nonce(ssrc, index);
        let mut tag = [0; GCM_TAG];
        let (clear, plain) = buffer[start..].split_at_mut(header);
        let sealed = gcm.cipher.seal_in_place(&nonce, clear, plain, &mut tag);
        if sealed.is_ok() {
            buffer.extend_from_slice(&tag);
        }
        sealed.is_ok()
    }

    /// Seal an RTCP packet.
    pub(super) fn seal_rtcp(&mut self, packet: &[u8]) -> Option<bytes::Bytes> {
        Some(self.other.encrypt_rtcp(packet).ok()?.freeze())
    }
}

fn gcm(config: &Config, key: &[u8], salt: &[u8], crypto: &dyn RTCCrypto) -> Result<Option<Gcm>> {
    match config.profile {
        ProtectionProfile::AeadAes128Gcm => Gcm::derive(key, salt, crypto).map(Some),
        _ => Ok(None),
    }
}

/// The name of a profile, as its registry has it.
pub(super) fn profile_name(config: &Config) -> &'static str {
    match config.profile {
        ProtectionProfile::AeadAes128Gcm => "AEAD_AES_128_GCM",
        _ => "AES128_CM_SHA1_80",
    }
}

/// The index with this sequence number that is nearest to the last one (RFC 3711 section 3.3.1).
pub(super) fn nearest_index(last: u64, sequence_number: u16) -> u64 {
    let ahead = sequence_number.wrapping_sub(last as u16) as i16;
    last.checked_add_signed(ahead.into())
        .unwrap_or(sequence_number.into())
}

#[cfg(test)]
mod tests {
    use rtc::crypto::RTCCryptoProvider;
    use rtc::crypto::providers::RingProvider;

    use super::*;

    fn configs(profile: ProtectionProfile) -> [Config; 2] {
        [true, false].map(|is_client| {
            let mut config = Config {
                profile,
                ..Config::default()
            };
            let material: Vec<u8> = (0..config.keying_material_len()).map(|n| n as u8).collect();
            config
                .set_session_keys_from_keying_material(&material, is_client)
                .unwrap();
            config
        })
    }

    fn packet(sequence_number: u16) -> Vec<u8> {
        let mut packet = vec![0x80, 96];
        packet.extend(sequence_number.to_be_bytes());
        packet.extend([0, 0, 0, 9, 0, 0, 0, 7]);
        packet.extend([5; 40]);
        packet
    }

    #[test]
    fn rtp_is_sealed_and_opened_as_another_implementation_does_it_also_after_a_rollover() {
        let provider = RingProvider::new();
        let crypto = provider.crypto();
        for profile in [
            ProtectionProfile::AeadAes128Gcm,
            ProtectionProfile::Aes128CmHmacSha1_80,
        ] {
            let [client, server] = configs(profile);
            let mut sealer = Sealer::new(&client, crypto).unwrap();
            let mut opener = Opener::new(&server, crypto).unwrap();
            let keys = &server.keys;
            let (key, salt) = (&keys.remote_master_key, &keys.remote_master_salt);
            let mut witness = context(key, salt, &server, crypto).unwrap();
            for index in [65_534, 65_535, 65_536, 65_537_u64] {
                let plain = packet(index as u16);
                let mut buffer = vec![1, 2, 3];
                buffer.extend(&plain);
                assert!(sealer.seal_rtp(&mut buffer, 3, 12, 7, index));
                assert_eq!(buffer[..3], [1, 2, 3]);
                assert_eq!(witness.decrypt_rtp(&buffer[3..]).unwrap(), plain);
                let mut sealed = buffer.split_off(3);
                let mut damaged = sealed.clone();
                let length = opener.open_rtp(&mut sealed, 12, 7, index).unwrap();
                assert_eq!(sealed[..length], plain);
                damaged[20] ^= 1;
                assert_eq!(opener.open_rtp(&mut damaged, 12, 7, index), None);
            }
        }
    }

    #[test]
    fn what_is_too_short_to_be_a_packet_is_refused_without_a_panic() {
        let [_, server] = configs(ProtectionProfile::AeadAes128Gcm);
        let mut opener = Opener::new(&server, RingProvider::new().crypto()).unwrap();
        for length in 0..40 {
            let mut packet = vec![0x80; length];
            assert_eq!(opener.open_rtp(&mut packet, 28, 1, 1), None);
            assert_eq!(opener.open_rtcp(&packet), None);
        }
    }

    #[test]
    fn the_nearest_index_follows_a_rollover_in_both_directions() {
        assert_eq!(nearest_index(65_530, 3), 65_539);
        assert_eq!(nearest_index(65_539, 65_530), 65_530);
        assert_eq!(nearest_index(5, 65_530), 65_530);
    }
}
