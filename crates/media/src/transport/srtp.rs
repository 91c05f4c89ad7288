//! SRTP and SRTCP (RFC 3711, RFC 7714): opens what a peer sends, and seals what is sent to it, in place.
//! It never allocates for a packet, and keeps no state for an SSRC that has not authenticated a packet.
//!
//! Our own and not `rtc-srtp`: that allocates and copies each packet, looks its state up twice in a hash
//! map, and keeps a replay window for every SSRC that anybody cares to invent. A test holds the two against
//! each other.

use std::collections::HashMap;

use rtc::crypto::{
    AeadAlgorithm, AeadCipher, CryptoError, HmacAlgorithm, Mac, RTCCrypto, StreamCipher,
    StreamCipherAlgorithm,
};

use super::replay::{ReplayWindow, Seen};
use crate::statistics::DropReason;

/// Bytes of the RTCP header that stay in the clear: up to the sender's SSRC.
const RTCP_HEADER: usize = 8;
/// Bytes of the SRTCP index with its encryption flag.
const RTCP_INDEX: usize = 4;
const ENCRYPTED: u32 = 1 << 31;
const GCM_TAG: usize = 16;
const SHA1_TAG: usize = 10;

/// The protection profiles Plenum takes, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// AEAD_AES_128_GCM (RFC 7714): a fifth of the other's cost.
    Aes128Gcm,
    /// AES128_CM_SHA1_80 (RFC 3711), for clients without GCM.
    Aes128CmSha1,
}

impl Profile {
    /// Bytes of a master key.
    pub(crate) const KEY: usize = 16;

    /// Bytes of a master salt.
    pub(crate) const fn salt(self) -> usize {
        match self {
            Profile::Aes128Gcm => 12,
            Profile::Aes128CmSha1 => 14,
        }
    }

    /// Bytes of the DTLS exporter's output: two keys and two salts (RFC 5764 section 4.2).
    pub(crate) const fn keying_material(self) -> usize {
        2 * Self::KEY + 2 * self.salt()
    }
}

/// The session keys of one direction, for RTP or for RTCP.
enum Cipher {
    Gcm {
        aead: Box<dyn AeadCipher>,
        salt: [u8; 12],
    },
    CmSha1 {
        stream: Box<dyn StreamCipher>,
        salt: [u8; 14],
        mac: Box<dyn Mac>,
    },
}

/// Key derivation labels (RFC 3711 section 4.3.1).
const RTP_LABELS: [u8; 3] = [0, 1, 2];
const RTCP_LABELS: [u8; 3] = [3, 4, 5];

impl Cipher {
    fn derive(
        profile: Profile,
        key: &[u8],
        salt: &[u8],
        [encryption, authentication, salting]: [u8; 3],
        crypto: &dyn RTCCrypto,
    ) -> Result<Self, CryptoError> {
        let mut session_key = [0; Profile::KEY];
        derive(key, salt, encryption, &mut session_key, crypto)?;
        Ok(match profile {
            Profile::Aes128Gcm => {
                let mut session_salt = [0; 12];
                derive(key, salt, salting, &mut session_salt, crypto)?;
                let aead = crypto.new_aead(AeadAlgorithm::Aes128Gcm, &session_key)?;
                Cipher::Gcm {
                    aead,
                    salt: session_salt,
                }
            }
            Profile::Aes128CmSha1 => {
                let mut session_salt = [0; 14];
                derive(key, salt, salting, &mut session_salt, crypto)?;
                let mut authentication_key = [0; 20];
                derive(key, salt, authentication, &mut authentication_key, crypto)?;
                Cipher::CmSha1 {
                    stream: crypto
                        .new_stream_cipher(StreamCipherAlgorithm::Aes128Ctr, &session_key)?,
                    salt: session_salt,
                    mac: crypto.new_hmac(HmacAlgorithm::Sha1, &authentication_key)?,
                }
            }
        })
    }
}

/// The key derivation of RFC 3711 section 4.3, with a rate of zero: AES in counter mode over the salt and
/// a label. A 96-bit salt counts as 112 bits with zeros at the end (RFC 7714 section 11).
fn derive(
    key: &[u8],
    salt: &[u8],
    label: u8,
    output: &mut [u8],
    crypto: &dyn RTCCrypto,
) -> Result<(), CryptoError> {
    let mut counter = [0; 16];
    counter[..salt.len()].copy_from_slice(salt);
    counter[7] ^= label;
    output.fill(0);
    crypto
        .new_stream_cipher(StreamCipherAlgorithm::Aes128Ctr, key)?
        .apply_keystream(&counter, output)
}

/// The nonce of an RTP packet (RFC 7714 section 8.1); `index` is the rollover counter and sequence number.
fn gcm_rtp_nonce(salt: &[u8; 12], ssrc: u32, index: u64) -> [u8; 12] {
    let mut nonce = *salt;
    xor(&mut nonce[2..6], &ssrc.to_be_bytes());
    xor(&mut nonce[6..12], &index.to_be_bytes()[2..]);
    nonce
}

/// The nonce of an RTCP packet (RFC 7714 section 9.1).
fn gcm_rtcp_nonce(salt: &[u8; 12], ssrc: u32, index: u32) -> [u8; 12] {
    let mut nonce = *salt;
    xor(&mut nonce[2..6], &ssrc.to_be_bytes());
    xor(&mut nonce[8..12], &index.to_be_bytes());
    nonce
}

/// The counter block of a packet (RFC 3711 section 4.1.1).
fn cm_counter(salt: &[u8; 14], ssrc: u32, index: u64) -> [u8; 16] {
    let mut counter = [0; 16];
    counter[..14].copy_from_slice(salt);
    xor(&mut counter[4..8], &ssrc.to_be_bytes());
    xor(&mut counter[8..14], &index.to_be_bytes()[2..]);
    counter
}

fn xor(target: &mut [u8], mask: &[u8]) {
    for (byte, mask) in target.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

/// The first 80 bits of the HMAC-SHA1 over `parts`.
fn sha1_tag(mac: &mut dyn Mac, parts: &[&[u8]]) -> Option<[u8; SHA1_TAG]> {
    let mut whole = [0; 20];
    mac.sign(parts, &mut whole).ok()?;
    let mut tag = [0; SHA1_TAG];
    tag.copy_from_slice(&whole[..SHA1_TAG]);
    Some(tag)
}

/// Equality in a time that does not depend on where the two differ.
fn equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .fold(0, |difference, (a, b)| difference | (a ^ b))
            == 0
}

/// Where one outbound SSRC is: its next packets' rollover counter.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OutboundIndex {
    /// Rollover counter and sequence number of the furthest packet sealed.
    furthest: Option<u64>,
}

impl OutboundIndex {
    /// The 48-bit index of this sequence number (RFC 3711 section 3.3.1).
    fn of(&mut self, sequence_number: u16) -> u64 {
        let Some(furthest) = self.furthest else {
            self.furthest = Some(sequence_number.into());
            return sequence_number.into();
        };
        let index = nearest(furthest, sequence_number);
        self.furthest = Some(furthest.max(index));
        index
    }
}

/// The index with this sequence number that is nearest to `reference`.
fn nearest(reference: u64, sequence_number: u16) -> u64 {
    let ahead = sequence_number.wrapping_sub(reference as u16) as i16;
    match reference.checked_add_signed(ahead.into()) {
        Some(index) => index,
        // Before the first rollover there is nothing behind zero.
        None => sequence_number.into(),
    }
}

/// What one SSRC of the peer has sent.
struct InboundStream {
    furthest: u64,
    window: ReplayWindow,
}

/// Both directions of one peer's SRTP.
#[repr(C, align(64))]
pub(crate) struct Srtp {
    outbound_rtp: Cipher,
    outbound_rtcp: Cipher,
    inbound_rtp: Cipher,
    inbound_rtcp: Cipher,
    rtp_streams: HashMap<u32, InboundStream>,
    rtcp_streams: HashMap<u32, InboundStream>,
    outbound_rtcp_index: u32,
    stream_limit: usize,
    window: usize,
}

impl Srtp {
    /// The DTLS *server's* side of the keying material: client key, server key, client salt, server salt
    /// (RFC 5764 section 4.2). `stream_limit` SSRCs at most are opened, each with a window of `window` packets.
    pub(crate) fn for_server(
        profile: Profile,
        material: &[u8],
        stream_limit: usize,
        window: usize,
        crypto: &dyn RTCCrypto,
    ) -> Result<Self, CryptoError> {
        let (client_key, rest) = material.split_at(Profile::KEY);
        let (server_key, rest) = rest.split_at(Profile::KEY);
        let (client_salt, server_salt) = rest.split_at(profile.salt());
        Ok(Self {
            outbound_rtp: Cipher::derive(profile, server_key, server_salt, RTP_LABELS, crypto)?,
            outbound_rtcp: Cipher::derive(profile, server_key, server_salt, RTCP_LABELS, crypto)?,
            inbound_rtp: Cipher::derive(profile, client_key, client_salt, RTP_LABELS, crypto)?,
            inbound_rtcp: Cipher::derive(profile, client_key, client_salt, RTCP_LABELS, crypto)?,
            rtp_streams: HashMap::new(),
            rtcp_streams: HashMap::new(),
            outbound_rtcp_index: 0,
            stream_limit,
            window,
        })
    }

    /// Open an RTP packet in place. `header` is the length of its header, extensions included. Gives the
    /// length of the plain packet.
    pub(crate) fn open_rtp(
        &mut self,
        packet: &mut [u8],
        ssrc: u32,
        sequence_number: u16,
        header: usize,
    ) -> Result<usize, DropReason> {
        let known = self.rtp_streams.get(&ssrc);
        if known.is_none() && self.rtp_streams.len() >= self.stream_limit {
            return Err(DropReason::UnknownSsrc);
        }
        let index = known.map_or(sequence_number.into(), |stream| {
            nearest(stream.furthest, sequence_number)
        });
        if known.is_some_and(|stream| stream.window.check(index) != Seen::No) {
            return Err(DropReason::SrtpReplay);
        }
        let length = open_rtp(&mut self.inbound_rtp, packet, ssrc, index, header)
            .ok_or(DropReason::SrtpAuthentication)?;
        accept(&mut self.rtp_streams, ssrc, index, self.window);
        Ok(length)
    }

    /// Open an RTCP packet in place. Gives the length of the plain packet.
    pub(crate) fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, DropReason> {
        let trailer = match self.inbound_rtcp {
            Cipher::Gcm { .. } => GCM_TAG + RTCP_INDEX,
            Cipher::CmSha1 { .. } => RTCP_INDEX + SHA1_TAG,
        };
        if packet.len() < RTCP_HEADER + trailer {
            return Err(DropReason::Malformed);
        }
        let ssrc = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
        let known = self.rtcp_streams.get(&ssrc);
        if known.is_none() && self.rtcp_streams.len() >= self.stream_limit {
            return Err(DropReason::UnknownSsrc);
        }
        let word_at = match self.inbound_rtcp {
            Cipher::Gcm { .. } => packet.len() - RTCP_INDEX,
            Cipher::CmSha1 { .. } => packet.len() - RTCP_INDEX - SHA1_TAG,
        };
        let mut word = [0; RTCP_INDEX];
        word.copy_from_slice(&packet[word_at..word_at + RTCP_INDEX]);
        let word = u32::from_be_bytes(word);
        if word & ENCRYPTED == 0 {
            return Err(DropReason::SrtpAuthentication);
        }
        let index = u64::from(word & !ENCRYPTED);
        if known.is_some_and(|stream| stream.window.check(index) != Seen::No) {
            return Err(DropReason::SrtpReplay);
        }
        let length = open_rtcp(&mut self.inbound_rtcp, packet, ssrc, word)
            .ok_or(DropReason::SrtpAuthentication)?;
        accept(&mut self.rtcp_streams, ssrc, index, self.window);
        Ok(length)
    }

    /// Seal the RTP packet that is the end of `buffer`, from `start` on, in place, and append its tag.
    /// `header` is the length of its header, extensions included.
    pub(crate) fn seal_rtp(
        &mut self,
        position: &mut OutboundIndex,
        buffer: &mut Vec<u8>,
        start: usize,
        ssrc: u32,
        sequence_number: u16,
        header: usize,
    ) {
        let index = position.of(sequence_number);
        match &mut self.outbound_rtp {
            Cipher::Gcm { aead, salt } => {
                let nonce = gcm_rtp_nonce(salt, ssrc, index);
                let mut tag = [0; GCM_TAG];
                let (clear, secret) = buffer[start..].split_at_mut(header);
                if aead.seal_in_place(&nonce, clear, secret, &mut tag).is_err() {
                    debug_assert!(false, "AES-GCM seals any packet");
                }
                buffer.extend_from_slice(&tag);
            }
            Cipher::CmSha1 { stream, salt, mac } => {
                let counter = cm_counter(salt, ssrc, index);
                let sealed = stream.apply_keystream(&counter, &mut buffer[start + header..]);
                debug_assert!(sealed.is_ok(), "AES-CM seals any packet");
                let rollover = ((index >> 16) as u32).to_be_bytes();
                if let Some(tag) = sha1_tag(mac.as_mut(), &[&buffer[start..], &rollover]) {
                    buffer.extend_from_slice(&tag);
                }
            }
        }
    }

    /// See `Peer::fetch`.
    pub(crate) fn fetch(&self) -> u64 {
        match &self.outbound_rtp {
            Cipher::Gcm { salt, aead } => u64::from(salt[0]) ^ aead.tag_len() as u64,
            Cipher::CmSha1 { salt, .. } => salt[0].into(),
        }
    }

    /// Seal the RTCP packet that is the end of `buffer`, from `start` on, in place, and append its trailer.
    pub(crate) fn seal_rtcp(&mut self, buffer: &mut Vec<u8>, start: usize) {
        self.outbound_rtcp_index = (self.outbound_rtcp_index + 1) & !ENCRYPTED;
        let index = self.outbound_rtcp_index;
        let word = (index | ENCRYPTED).to_be_bytes();
        let packet = &mut buffer[start..];
        let ssrc = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
        match &mut self.outbound_rtcp {
            Cipher::Gcm { aead, salt } => {
                let nonce = gcm_rtcp_nonce(salt, ssrc, index);
                let (clear, secret) = packet.split_at_mut(RTCP_HEADER);
                let additional = rtcp_additional_data(clear, word);
                let mut tag = [0; GCM_TAG];
                if aead
                    .seal_in_place(&nonce, &additional, secret, &mut tag)
                    .is_err()
                {
                    debug_assert!(false, "AES-GCM seals any packet");
                }
                buffer.extend_from_slice(&tag);
                buffer.extend_from_slice(&word);
            }
            Cipher::CmSha1 { stream, salt, mac } => {
                let counter = cm_counter(salt, ssrc, index.into());
                let sealed = stream.apply_keystream(&counter, &mut packet[RTCP_HEADER..]);
                debug_assert!(sealed.is_ok(), "AES-CM seals any packet");
                buffer.extend_from_slice(&word);
                if let Some(tag) = sha1_tag(mac.as_mut(), &[&buffer[start..]]) {
                    buffer.extend_from_slice(&tag);
                }
            }
        }
    }
}

/// The first eight bytes and the index word: what SRTCP with GCM authenticates beside the ciphertext.
fn rtcp_additional_data(clear: &[u8], word: [u8; RTCP_INDEX]) -> [u8; RTCP_HEADER + RTCP_INDEX] {
    let mut data = [0; RTCP_HEADER + RTCP_INDEX];
    data[..RTCP_HEADER].copy_from_slice(clear);
    data[RTCP_HEADER..].copy_from_slice(&word);
    data
}

fn open_rtp(
    cipher: &mut Cipher,
    packet: &mut [u8],
    ssrc: u32,
    index: u64,
    header: usize,
) -> Option<usize> {
    match cipher {
        Cipher::Gcm { aead, salt } => {
            let length = packet
                .len()
                .checked_sub(GCM_TAG)
                .filter(|length| *length >= header)?;
            let nonce = gcm_rtp_nonce(salt, ssrc, index);
            let (packet, tag) = packet.split_at_mut(length);
            let (clear, secret) = packet.split_at_mut(header);
            aead.open_in_place(&nonce, clear, secret, tag).ok()?;
            Some(length)
        }
        Cipher::CmSha1 { stream, salt, mac } => {
            let length = packet
                .len()
                .checked_sub(SHA1_TAG)
                .filter(|length| *length >= header)?;
            let (packet, tag) = packet.split_at_mut(length);
            let rollover = ((index >> 16) as u32).to_be_bytes();
            if !equal(tag, &sha1_tag(mac.as_mut(), &[packet, &rollover])?) {
                return None;
            }
            stream
                .apply_keystream(&cm_counter(salt, ssrc, index), &mut packet[header..])
                .ok()?;
            Some(length)
        }
    }
}

fn open_rtcp(cipher: &mut Cipher, packet: &mut [u8], ssrc: u32, word: u32) -> Option<usize> {
    match cipher {
        Cipher::Gcm { aead, salt } => {
            let length = packet.len() - GCM_TAG - RTCP_INDEX;
            let nonce = gcm_rtcp_nonce(salt, ssrc, word & !ENCRYPTED);
            let additional = rtcp_additional_data(&packet[..RTCP_HEADER], word.to_be_bytes());
            let (packet, trailer) = packet.split_at_mut(length);
            aead.open_in_place(
                &nonce,
                &additional,
                &mut packet[RTCP_HEADER..],
                &trailer[..GCM_TAG],
            )
            .ok()?;
            Some(length)
        }
        Cipher::CmSha1 { stream, salt, mac } => {
            let (authenticated, tag) = packet.split_at_mut(packet.len() - SHA1_TAG);
            if !equal(tag, &sha1_tag(mac.as_mut(), &[authenticated])?) {
                return None;
            }
            let length = authenticated.len() - RTCP_INDEX;
            let counter = cm_counter(salt, ssrc, (word & !ENCRYPTED).into());
            stream
                .apply_keystream(&counter, &mut authenticated[RTCP_HEADER..length])
                .ok()?;
            Some(length)
        }
    }
}

fn accept(streams: &mut HashMap<u32, InboundStream>, ssrc: u32, index: u64, window: usize) {
    let stream = streams.entry(ssrc).or_insert_with(|| InboundStream {
        furthest: index,
        window: ReplayWindow::new(window),
    });
    stream.furthest = stream.furthest.max(index);
    stream.window.accept(index);
}

#[cfg(test)]
mod tests;
