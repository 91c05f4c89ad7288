//! RTP header extensions (RFC 8285) that Plenum knows, and the numbers a section gives them.

/// A header extension, by its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Extension {
    /// The media section (RFC 9143).
    Mid,
    /// The simulcast layer (RFC 8852).
    RtpStreamId,
    /// The simulcast layer that a retransmission belongs to (RFC 8852).
    RepairedRtpStreamId,
    /// How loud the packet's sound is (RFC 6464).
    AudioLevel,
    /// When the packet left, as 24 bits of NTP time.
    AbsoluteSendTime,
    /// The transport-wide number of the packet (draft-holmer-rmcat-transport-wide-cc-extensions-01).
    TransportSequenceNumber,
    /// How the camera was held (3GPP TS 26.114).
    VideoOrientation,
    /// Least and greatest playout delay.
    PlayoutDelay,
    /// Camera or screen.
    VideoContentType,
    /// When each step of sending happened.
    VideoTiming,
    /// The picture's colours.
    ColorSpace,
    /// Which frames an AV1 frame needs, and what it is (AV1 RTP specification).
    DependencyDescriptor,
}

impl Extension {
    /// Every extension Plenum knows.
    pub(crate) const ALL: [Extension; 12] = [
        Extension::Mid,
        Extension::RtpStreamId,
        Extension::RepairedRtpStreamId,
        Extension::AudioLevel,
        Extension::AbsoluteSendTime,
        Extension::TransportSequenceNumber,
        Extension::VideoOrientation,
        Extension::PlayoutDelay,
        Extension::VideoContentType,
        Extension::VideoTiming,
        Extension::ColorSpace,
        Extension::DependencyDescriptor,
    ];

    /// The URI in `a=extmap`.
    pub(crate) const fn uri(self) -> &'static str {
        match self {
            Extension::Mid => "urn:ietf:params:rtp-hdrext:sdes:mid",
            Extension::RtpStreamId => "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
            Extension::RepairedRtpStreamId => {
                "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
            }
            Extension::AudioLevel => "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
            Extension::AbsoluteSendTime => {
                "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
            }
            Extension::TransportSequenceNumber => {
                "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
            }
            Extension::VideoOrientation => "urn:3gpp:video-orientation",
            Extension::PlayoutDelay => "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
            Extension::VideoContentType => {
                "http://www.webrtc.org/experiments/rtp-hdrext/video-content-type"
            }
            Extension::VideoTiming => "http://www.webrtc.org/experiments/rtp-hdrext/video-timing",
            Extension::ColorSpace => "http://www.webrtc.org/experiments/rtp-hdrext/color-space",
            Extension::DependencyDescriptor => {
                "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
            }
        }
    }

    /// The extension with this URI.
    pub(crate) fn from_uri(uri: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|extension| extension.uri() == uri)
    }

    /// Whether it says something about the media, to be passed from publisher to subscriber; the others
    /// are about one hop, and are written anew or left out.
    pub(crate) const fn is_end_to_end(self) -> bool {
        matches!(
            self,
            Extension::AudioLevel
                | Extension::VideoOrientation
                | Extension::PlayoutDelay
                | Extension::VideoContentType
                | Extension::ColorSpace
                | Extension::DependencyDescriptor
        )
    }
}

/// The number (1 to 255) that a media section gives each extension.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExtensionMap {
    ids: [u8; Extension::ALL.len()],
}

impl ExtensionMap {
    /// Give an extension a number; 0 takes it away.
    pub(crate) fn set(&mut self, extension: Extension, id: u8) {
        self.ids[extension as usize] = id;
    }

    /// The number of an extension.
    pub(crate) fn id(&self, extension: Extension) -> Option<u8> {
        let id = self.ids[extension as usize];
        (id != 0).then_some(id)
    }

    /// The extension with a number.
    pub(crate) fn extension(&self, id: u8) -> Option<Extension> {
        if id == 0 {
            return None;
        }
        let index = self.ids.iter().position(|&other| other == id)?;
        Some(Extension::ALL[index])
    }
}
