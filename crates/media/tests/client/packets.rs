//! RTP packets as a client sends them, and what a test reads in those that come.

use super::sections::{AUDIO_LEVEL, OPUS, RED};

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

/// What a packet carries behind its header and extensions.
pub fn payload(plain: &[u8]) -> &[u8] {
    let extensions = match plain[0] & 0x10 {
        0 => 0,
        _ => 4 + 4 * usize::from(u16::from_be_bytes([plain[14], plain[15]])),
    };
    &plain[12 + extensions..]
}

/// Whether a datagram with media or RTCP is RTCP (RFC 5761 section 4).
pub fn is_rtcp(datagram: &[u8]) -> bool {
    (192..=223).contains(&datagram[1])
}
