//! The one peer connection of a participant: its sections, its tracks, its data channels. It does not
//! know the WebSocket: what is to be said there is handed out.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use bytes::BytesMut;
use protocol::{ParticipantId, Publish, Track, TrackId, TrackKind};
use rtc::peer_connection::configuration::RTCOfferOptions;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use tokio::sync::{broadcast, watch};
use webrtc::data_channel::{DataChannel, RTCDataChannelInit};
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::PeerConnection;
use webrtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit, RtpTransceiver};

use self::hearing::{Handler, hear_data};
use crate::event::{DataMessage, Event};
use crate::publication::{self, Publication, Sending};
use crate::tasks::Tasks;
use crate::{ParticipantOptions, PublishOptions, Reception, peer};

mod hearing;

/// What was received, by track.
pub(crate) type Receptions = Arc<Mutex<BTreeMap<TrackId, Reception>>>;
/// The tracks that came, to ask for key frames on.
type RemoteTracks = Arc<Mutex<BTreeMap<TrackId, Arc<dyn TrackRemote>>>>;

/// The one peer connection of a participant.
pub(crate) struct Media {
    connection: Arc<dyn PeerConnection>,
    tasks: Arc<Tasks>,
    connected: watch::Receiver<bool>,
    remote_tracks: RemoteTracks,
    reliable: Option<Arc<dyn DataChannel>>,
    lossy: Option<Arc<dyn DataChannel>>,
    /// Sections that are added, but not yet offered.
    unoffered: Vec<Section>,
    /// Sections that are offered, by `mid`; the server has not said yet as which track.
    unnamed: BTreeMap<String, Section>,
    /// Sections that the server knows as tracks; the answer is still to come.
    unanswered: Vec<(Section, Sending)>,
}

/// A sending media section.
struct Section {
    transceiver: Arc<dyn RtpTransceiver>,
    track: Arc<TrackLocalStaticRTP>,
    source: u32,
    options: PublishOptions,
}

impl Media {
    /// A peer connection with data channels, if they are wished for, and without media sections.
    pub(crate) async fn open(
        options: &ParticipantOptions,
        tasks: Arc<Tasks>,
        events: broadcast::Sender<Event>,
        receptions: Receptions,
        repetitions: Arc<AtomicU64>,
    ) -> Result<Self> {
        let (connected_sender, connected) = watch::channel(false);
        let remote_tracks = RemoteTracks::default();
        let handler = Arc::new(Handler {
            tasks: tasks.clone(),
            events: events.clone(),
            receptions,
            remote_tracks: remote_tracks.clone(),
            connected: connected_sender,
        });
        let connection =
            peer::connection(tasks.clone(), handler, options.address, repetitions).await?;
        let (mut reliable, mut lossy) = (None, None);
        if options.data {
            let unreliable = RTCDataChannelInit {
                ordered: false,
                max_retransmits: Some(0),
                ..Default::default()
            };
            for (channel, label, init) in [
                (&mut reliable, "reliable", None),
                (&mut lossy, "lossy", Some(unreliable)),
            ] {
                let opened = connection.create_data_channel(label, init).await?;
                tasks.start(hear_data(label.to_owned(), opened.clone(), events.clone()));
                *channel = Some(opened);
            }
        }
        Ok(Self {
            connection,
            tasks,
            connected,
            remote_tracks,
            reliable,
            lossy,
            unoffered: Vec::new(),
            unnamed: BTreeMap::new(),
            unanswered: Vec::new(),
        })
    }

    /// Whether the media connection is there.
    pub(crate) fn connected(&self) -> watch::Receiver<bool> {
        self.connected.clone()
    }

    /// Add a sending section for a new track.
    pub(crate) async fn add_track(&mut self, options: PublishOptions) -> Result<()> {
        let (source, track) = peer::local_track(options.source.kind());
        let init = RTCRtpTransceiverInit {
            direction: RTCRtpTransceiverDirection::Sendonly,
            streams: vec!["stream".to_owned()],
            send_encodings: Vec::new(),
        };
        let transceiver = self
            .connection
            .add_transceiver_from_track(track.clone(), Some(init))
            .await?;
        self.unoffered.push(Section {
            transceiver,
            track,
            source,
            options,
        });
        Ok(())
    }

    /// Add sections to receive in.
    pub(crate) async fn add_receiving_sections(&self, audio: u32, video: u32) -> Result<()> {
        for (kind, count) in [(TrackKind::Audio, audio), (TrackKind::Video, video)] {
            for _ in 0..count {
                let init = RTCRtpTransceiverInit {
                    direction: RTCRtpTransceiverDirection::Recvonly,
                    streams: Vec::new(),
                    send_encodings: Vec::new(),
                };
                self.connection
                    .add_transceiver_from_kind(peer::codec_kind(kind), Some(init))
                    .await?;
            }
        }
        Ok(())
    }

    /// The next offer, and what is to be said before it.
    pub(crate) async fn offer(&mut self, restarts_ice: bool) -> Result<(Vec<Publish>, String)> {
        let options = restarts_ice.then_some(RTCOfferOptions { ice_restart: true });
        let offer = self.connection.create_offer(options).await?;
        let sdp = offer.sdp.clone();
        self.connection.set_local_description(offer).await?;
        let mut publications = Vec::new();
        for section in self.unoffered.drain(..) {
            let mid = section
                .transceiver
                .mid()
                .await?
                .context("a section without mid after the offer")?;
            let PublishOptions { source, muted, .. } = section.options;
            publications.push(Publish {
                mid: mid.clone(),
                source,
                muted,
            });
            self.unnamed.insert(mid, section);
        }
        Ok((publications, sdp))
    }

    /// The server knows the section as this track.
    pub(crate) fn name(
        &mut self,
        mid: &str,
        track: &Track,
        publisher: ParticipantId,
    ) -> Result<Publication> {
        let section = self
            .unnamed
            .remove(mid)
            .with_context(|| format!("published, but never asked for: {mid}"))?;
        let publication = Publication::new(track.id, section.options);
        let sending = Sending {
            publication: publication.clone(),
            publisher,
            source: section.source,
            track: section.track.clone(),
            level_extension: None,
            connected: self.connected(),
        };
        self.unanswered.push((section, sending));
        Ok(publication)
    }

    /// Apply the answer to the last offer, and begin to send what it lets us send.
    pub(crate) async fn apply_answer(&mut self, sdp: String) -> Result<()> {
        let answer = RTCSessionDescription::answer(sdp)?;
        self.connection.set_remote_description(answer).await?;
        for (section, mut sending) in self.unanswered.drain(..) {
            sending.level_extension = section.level_extension().await?;
            self.tasks.start(publication::hear_requests(
                sending.publication.clone(),
                section.track,
            ));
            self.tasks.start(publication::send(sending));
        }
        Ok(())
    }

    /// Ask for a key frame of a track that came.
    pub(crate) async fn request_key_frame(&self, id: TrackId) -> Result<()> {
        let track = self
            .remote_tracks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .cloned();
        let track = track.context("nothing came of this track")?;
        let sources = track.ssrcs().await;
        let media_ssrc = *sources.first().context("no source")?;
        let request = PictureLossIndication {
            sender_ssrc: 0,
            media_ssrc,
        };
        Ok(track.write_rtcp(vec![Box::new(request)]).await?)
    }

    /// Send to everybody else in the room.
    pub(crate) async fn send_data(&self, message: &DataMessage) -> Result<()> {
        let channel = match message.channel.as_str() {
            "reliable" => &self.reliable,
            "lossy" => &self.lossy,
            other => bail!("no data channel {other:?}"),
        };
        let channel = channel
            .as_ref()
            .context("no data channels were wished for")?;
        Ok(channel.send(BytesMut::from(&message.payload[..])).await?)
    }

    /// Close in good order.
    pub(crate) async fn close(&self) {
        // The server has been told already; what cannot be closed ends with the tasks.
        let _ = self.connection.close().await;
        self.tasks.end();
    }
}

impl Section {
    /// The number that offer and answer gave the audio level.
    async fn level_extension(&self) -> Result<Option<u8>> {
        let sender = self
            .transceiver
            .sender()
            .await?
            .context("a sending section without sender")?;
        let parameters = sender.get_parameters().await?.rtp_parameters;
        let level = parameters
            .header_extensions
            .iter()
            .find(|extension| extension.uri == peer::AUDIO_LEVEL);
        Ok(level.and_then(|extension| extension.id.try_into().ok()))
    }
}
