//! The `webrtc` crate set up as a browser would be: codecs, extensions, feedback. It holds no connection.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::Result;
use protocol::TrackKind;
use rtc::interceptor::{NackGeneratorBuilder, NackResponderBuilder, Registry, Slot};
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::interceptor_registry::{
    configure_rtcp_reports, configure_simulcast_extension_headers, configure_twcc,
};
use rtc::peer_connection::configuration::media_engine::{
    MIME_TYPE_OPUS, MIME_TYPE_RTX, MIME_TYPE_VP8, MediaEngine,
};
use rtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters,
    RTCRtpEncodingParameters, RTCRtpHeaderExtensionCapability, RtpCodecKind,
};
use rtc::shared::error::Result as WebrtcResult;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, SrtpProtectionProfile,
};
use webrtc::runtime::Runtime;

use crate::interceptors::{DeliverKeyFrameRequests, PassOverRepetitions, UnpackRetransmissions};

/// The extension for the audio level (RFC 6464).
pub(crate) const AUDIO_LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
/// Times that one packet is asked for again.
const NACKS_PER_PACKET: u16 = 20;

/// The payload type by which Opus or VP8 is offered.
pub(crate) const fn payload_type(kind: TrackKind) -> u8 {
    match kind {
        TrackKind::Audio => 111,
        TrackKind::Video => 96,
    }
}

/// The stack's word for a kind.
pub(crate) const fn codec_kind(kind: TrackKind) -> RtpCodecKind {
    match kind {
        TrackKind::Audio => RtpCodecKind::Audio,
        TrackKind::Video => RtpCodecKind::Video,
    }
}

/// A peer connection on a port of its own at `address`. Retransmissions of what was there are added to `repetitions`.
pub(crate) async fn connection(
    runtime: Arc<dyn Runtime>,
    handler: Arc<dyn PeerConnectionEventHandler>,
    address: IpAddr,
    repetitions: Arc<AtomicU64>,
) -> Result<Arc<dyn PeerConnection>> {
    let mut media_engine = MediaEngine::default();
    register_codecs(&mut media_engine)?;
    let registry = interceptors(&mut media_engine, repetitions)?;
    let settings = SettingEngineBuilder::new()
        .with_include_loopback_candidate(true)
        .with_multicast_dns_mode(rtc::ice::mdns::MulticastDnsMode::Disabled)
        .with_srtp_protection_profiles(vec![
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
        ])
        .build();
    let connection = PeerConnectionBuilder::new()
        .with_media_engine(media_engine)
        .with_interceptor_registry(registry)
        .with_setting_engine(settings)
        .with_runtime(runtime)
        .with_handler(handler)
        .with_udp_addrs(vec![SocketAddr::new(address, 0)])
        .build()
        .await?;
    Ok(Arc::new(connection))
}

fn register_codecs(media_engine: &mut MediaEngine) -> WebrtcResult<()> {
    let video = payload_type(TrackKind::Video);
    media_engine.register_codec(
        parameters(codec(TrackKind::Audio), payload_type(TrackKind::Audio)),
        RtpCodecKind::Audio,
    )?;
    media_engine.register_codec(
        parameters(codec(TrackKind::Video), video),
        RtpCodecKind::Video,
    )?;
    let rtx = RTCRtpCodec {
        mime_type: MIME_TYPE_RTX.to_owned(),
        clock_rate: 90_000,
        sdp_fmtp_line: format!("apt={video}"),
        ..Default::default()
    };
    media_engine.register_codec(parameters(rtx, video + 1), RtpCodecKind::Video)
}

fn codec(kind: TrackKind) -> RTCRtpCodec {
    match kind {
        TrackKind::Audio => RTCRtpCodec {
            mime_type: MIME_TYPE_OPUS.to_owned(),
            clock_rate: 48_000,
            channels: 2,
            sdp_fmtp_line: "minptime=10;useinbandfec=1".to_owned(),
            rtcp_feedback: Vec::new(),
        },
        TrackKind::Video => RTCRtpCodec {
            mime_type: MIME_TYPE_VP8.to_owned(),
            clock_rate: 90_000,
            ..Default::default()
        },
    }
}

fn parameters(rtp_codec: RTCRtpCodec, payload_type: u8) -> RTCRtpCodecParameters {
    RTCRtpCodecParameters {
        rtp_codec,
        payload_type,
    }
}

fn interceptors(
    media_engine: &mut MediaEngine,
    repetitions: Arc<AtomicU64>,
) -> WebrtcResult<Registry> {
    for (typ, parameter) in [("nack", ""), ("nack", "pli"), ("ccm", "fir")] {
        let feedback = RTCPFeedback {
            typ: typ.to_owned(),
            parameter: parameter.to_owned(),
        };
        media_engine.register_feedback(feedback, RtpCodecKind::Video);
    }
    let level = RTCRtpHeaderExtensionCapability {
        uri: AUDIO_LEVEL.to_owned(),
    };
    media_engine.register_header_extension(level, RtpCodecKind::Audio, None)?;
    configure_simulcast_extension_headers(media_engine)?;
    let generator = NackGeneratorBuilder::new()
        .with_max_nacks_per_packet(NACKS_PER_PACKET)
        .build();
    let registry = Registry::new()
        .with(Slot::NackResponder, NackResponderBuilder::new().build())
        .with(
            Slot::from(usize::from(Slot::NackGenerator) - 1),
            UnpackRetransmissions::default(),
        )
        .with(Slot::NackGenerator, generator)
        .with(
            Slot::from(usize::from(Slot::TwccReceiver) + 1),
            PassOverRepetitions::new(repetitions),
        )
        .with(Slot::from(14_000), DeliverKeyFrameRequests::default());
    Ok(configure_rtcp_reports(configure_twcc(
        registry,
        media_engine,
    )?))
}

/// A track of our own, with a source of its own.
pub(crate) fn local_track(kind: TrackKind) -> (u32, Arc<TrackLocalStaticRTP>) {
    let source: u32 = rand::random();
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters {
            ssrc: Some(source),
            ..Default::default()
        },
        codec: codec(kind),
        ..Default::default()
    };
    let name = format!("track-{source}");
    let track = MediaStreamTrack::new(
        "stream".into(),
        name.clone(),
        name,
        codec_kind(kind),
        vec![encoding],
    );
    (source, Arc::new(TrackLocalStaticRTP::new(track)))
}
