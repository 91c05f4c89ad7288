//! Our SRTP against that of `rtc-srtp`, both ways and with both profiles.

use rtc::crypto::RTCCryptoProvider;
use rtc::crypto::providers::RingProvider;
use rtc::shared::marshal::Unmarshal;
use rtc::srtp::context::Context;
use rtc::srtp::protection_profile::ProtectionProfile;

use super::*;

fn material(profile: Profile) -> Vec<u8> {
    (0..profile.keying_material())
        .map(|byte| (byte * 7 + 3) as u8)
        .collect()
}

/// Ours as the server, theirs as the client: (client to server, server to client).
fn pair(profile: Profile) -> (Srtp, Context, Context) {
    let provider = RingProvider::new();
    let material = material(profile);
    let ours = Srtp::for_server(profile, &material, 4, 128, provider.crypto()).unwrap();
    let (keys, salts) = material.split_at(32);
    let theirs = match profile {
        Profile::Aes128Gcm => ProtectionProfile::AeadAes128Gcm,
        Profile::Aes128CmSha1 => ProtectionProfile::Aes128CmHmacSha1_80,
    };
    let context = |key: &[u8], salt: &[u8]| {
        Context::new(key, salt, theirs, None, None, provider.crypto()).unwrap()
    };
    let salt = profile.salt();
    (
        ours,
        context(&keys[..16], &salts[..salt]),
        context(&keys[16..], &salts[salt..]),
    )
}

/// A packet with a one-byte extension block: 20 bytes of header.
fn packet(sequence_number: u16, payload: usize) -> Vec<u8> {
    let mut packet = vec![0x90, 96];
    packet.extend_from_slice(&sequence_number.to_be_bytes());
    packet.extend_from_slice(&[0, 0, 1, 2, 0xCA, 0xFE, 0xBA, 0xBE]);
    packet.extend_from_slice(&[0xBE, 0xDE, 0, 1, 0x10, 0x55, 0, 0]);
    packet.extend((0..payload).map(|byte| byte as u8));
    packet
}

const SSRC: u32 = 0xCAFE_BABE;
const HEADER: usize = 20;
const PROFILES: [Profile; 2] = [Profile::Aes128Gcm, Profile::Aes128CmSha1];

#[test]
fn what_we_seal_the_other_implementation_opens_across_a_rollover() {
    for profile in PROFILES {
        let (mut ours, _, mut theirs) = pair(profile);
        let mut position = OutboundIndex::default();
        for step in 0..70_000u32 {
            let plain = packet((step + 30_000) as u16, 50);
            let mut buffer = vec![9; 5];
            buffer.extend_from_slice(&plain);
            if step % 97 == 0 || step > 69_990 {
                ours.seal_rtp(
                    &mut position,
                    &mut buffer,
                    5,
                    SSRC,
                    (step + 30_000) as u16,
                    HEADER,
                );
                assert_eq!(
                    theirs.decrypt_rtp(&buffer[5..]).unwrap(),
                    plain,
                    "{profile:?} {step}"
                );
            }
        }
    }
}

#[test]
fn what_the_other_implementation_seals_we_open_once_across_a_rollover() {
    for profile in PROFILES {
        let (mut ours, mut theirs, _) = pair(profile);
        for step in (0..70_000u32).step_by(91) {
            let sequence_number = (step + 30_000) as u16;
            let plain = packet(sequence_number, 50);
            let mut sealed = theirs.encrypt_rtp(&plain).unwrap().to_vec();
            let mut again = sealed.clone();
            let length = ours
                .open_rtp(&mut sealed, SSRC, sequence_number, HEADER)
                .unwrap();
            assert_eq!(sealed[..length], plain[..], "{profile:?} {step}");
            assert_eq!(
                ours.open_rtp(&mut again, SSRC, sequence_number, HEADER),
                Err(DropReason::SrtpReplay)
            );
        }
    }
}

#[test]
fn rtcp_goes_both_ways() {
    for profile in PROFILES {
        let (mut ours, mut to_us, mut from_us) = pair(profile);
        let plain = [0x80, 201, 0, 1, 0, 0, 0, 9].to_vec();
        let longer = [&plain[..], &[0x81, 206, 0, 2, 0, 0, 0, 9, 0, 0, 0, 7]].concat();
        for plain in [plain, longer] {
            let mut buffer = plain.clone();
            ours.seal_rtcp(&mut buffer, 0);
            assert_eq!(from_us.decrypt_rtcp(&buffer).unwrap(), plain, "{profile:?}");
            let mut sealed = to_us.encrypt_rtcp(&plain).unwrap().to_vec();
            let mut again = sealed.clone();
            let length = ours.open_rtcp(&mut sealed).unwrap();
            assert_eq!(sealed[..length], plain[..]);
            assert_eq!(ours.open_rtcp(&mut again), Err(DropReason::SrtpReplay));
        }
    }
}

#[test]
fn a_changed_byte_is_found_and_leaves_no_trace() {
    for profile in PROFILES {
        let (mut ours, mut theirs, _) = pair(profile);
        let sealed = theirs.encrypt_rtp(&packet(7, 40)).unwrap();
        for place in [1, 13, 25, sealed.len() - 1] {
            let mut damaged = sealed.to_vec();
            damaged[place] ^= 1;
            assert_eq!(
                ours.open_rtp(&mut damaged, SSRC, 7, HEADER),
                Err(DropReason::SrtpAuthentication)
            );
        }
        assert!(ours.rtp_streams.is_empty());
        assert!(ours.open_rtp(&mut sealed.to_vec(), SSRC, 7, HEADER).is_ok());
    }
}

#[test]
fn no_more_ssrcs_are_opened_than_the_limit() {
    let (mut ours, mut theirs, _) = pair(Profile::Aes128Gcm);
    for ssrc in 0..5u32 {
        let mut plain = packet(1, 10);
        plain[8..12].copy_from_slice(&ssrc.to_be_bytes());
        let header = rtc::rtp::Header::unmarshal(&mut &plain[..]).unwrap();
        let mut sealed = theirs
            .encrypt_rtp_with_header(&plain, &header)
            .unwrap()
            .to_vec();
        let opened = ours.open_rtp(&mut sealed, ssrc, 1, HEADER);
        assert_eq!(opened.is_ok(), ssrc < 4, "{ssrc}");
    }
}

#[test]
fn short_packets_are_refused_without_a_panic() {
    for profile in PROFILES {
        let (mut ours, ..) = pair(profile);
        for length in 0..40 {
            let _ = ours.open_rtp(&mut vec![0x80; length.max(12)], 1, 1, 12);
            let _ = ours.open_rtcp(&mut vec![0x80; length]);
        }
    }
}
