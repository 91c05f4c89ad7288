//! What a participant is asked to be and to send.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use protocol::TrackSource;

/// Changes an SDP answer on its way from the server to the client.
pub type AnswerFilter = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// What a participant is asked to be.
#[derive(Clone)]
pub struct ParticipantOptions {
    /// The server's HTTP address.
    pub server: SocketAddr,
    /// The room.
    pub room: String,
    /// The name to show. Also the identity, where the server makes the token.
    pub name: String,
    /// The role to show.
    pub role: String,
    /// The access token. Without one the server is asked for it, as it allows in development mode.
    pub token: Option<String>,
    /// The resume token of an earlier stay, to come back as the same participant.
    pub resume: Option<String>,
    /// What to publish from the start.
    pub publish: Vec<PublishOptions>,
    /// Receive every track of the room.
    pub subscribe_automatically: bool,
    /// Open two data channels, `reliable` and `lossy`.
    pub data: bool,
    /// The local address for media.
    pub address: IpAddr,
    /// Changes each answer: to lead the media through a relay.
    pub answer_filter: Option<AnswerFilter>,
    /// Longest time for each step of joining.
    pub patience: Duration,
}

impl ParticipantOptions {
    /// A participant that publishes nothing and receives everything.
    pub fn new(server: SocketAddr, room: &str, name: &str) -> Self {
        Self {
            server,
            room: room.to_owned(),
            name: name.to_owned(),
            role: "student".to_owned(),
            token: None,
            resume: None,
            publish: Vec::new(),
            subscribe_automatically: true,
            data: true,
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            answer_filter: None,
            patience: Duration::from_secs(30),
        }
    }

    /// The same participant, who publishes this too.
    pub fn publishing(mut self, publish: PublishOptions) -> Self {
        self.publish.push(publish);
        self
    }
}

/// What a track is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishOptions {
    /// What it claims to show; its kind follows.
    pub source: TrackSource,
    /// Muted from the start.
    pub muted: bool,
    /// Nothing is sent until `Publication::pause` says otherwise. The room is not told.
    pub paused: bool,
    /// Frames per second. A frame of sound is one packet.
    pub frames_per_second: u32,
    /// Bytes of a frame. A key frame has four times as many.
    pub frame_bytes: usize,
    /// Largest payload of a packet. None is smaller than `payload::SMALLEST_PACKET_BYTES`.
    pub packet_bytes: usize,
}

impl PublishOptions {
    /// Sound: 50 packets of 80 bytes a second, as Opus makes at 32 kbit/s.
    pub const fn microphone() -> Self {
        Self {
            source: TrackSource::Microphone,
            muted: false,
            paused: false,
            frames_per_second: 50,
            frame_bytes: 80,
            packet_bytes: 80,
        }
    }

    /// Pictures: 30 frames a second in packets of 1,100 bytes, with this many bits a second.
    pub const fn camera(bits_per_second: u32) -> Self {
        let frames_per_second = 30;
        Self {
            source: TrackSource::Camera,
            muted: false,
            paused: false,
            frames_per_second,
            frame_bytes: (bits_per_second / 8 / frames_per_second) as usize,
            packet_bytes: 1_100,
        }
    }
}
