//! What comes from the peer connection: states, tracks, data. It is counted and told, and nothing is answered.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use protocol::{TrackId, TrackKind};
use tokio::sync::{broadcast, watch};
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{PeerConnectionEventHandler, RTCPeerConnectionState};

use super::{Receptions, RemoteTracks};
use crate::event::{DataMessage, Event};
use crate::publication::now_us;
use crate::tasks::Tasks;
use crate::{Reception, peer};

/// What the stack reports.
pub(super) struct Handler {
    pub(super) tasks: Arc<Tasks>,
    pub(super) events: broadcast::Sender<Event>,
    pub(super) receptions: Receptions,
    pub(super) remote_tracks: RemoteTracks,
    pub(super) connected: watch::Sender<bool>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.connected
            .send_replace(state == RTCPeerConnectionState::Connected);
        // Nobody needs to listen.
        let _ = self.events.send(Event::Connection {
            state: state.to_string(),
        });
    }

    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        let label = channel.label().await.unwrap_or_default();
        self.tasks
            .start(hear_data(label, channel, self.events.clone()));
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let name = track.track_id().await;
        let Ok(id) = name.parse::<TrackId>() else {
            let _ = self.events.send(Event::Fault {
                what: format!("a track that is called {name:?}"),
            });
            return;
        };
        let kind = match track.kind().await == peer::codec_kind(TrackKind::Audio) {
            true => TrackKind::Audio,
            false => TrackKind::Video,
        };
        self.remote_tracks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, track.clone());
        self.tasks.start(hear_track(
            id,
            kind,
            track,
            self.receptions.clone(),
            self.events.clone(),
        ));
    }
}

async fn hear_track(
    id: TrackId,
    kind: TrackKind,
    track: Arc<dyn TrackRemote>,
    receptions: Receptions,
    events: broadcast::Sender<Event>,
) {
    while let Some(event) = track.poll().await {
        let TrackRemoteEvent::OnRtpPacket(packet) = event else {
            continue;
        };
        let is_first = {
            let mut receptions = receptions.lock().unwrap_or_else(PoisonError::into_inner);
            let reception = receptions.entry(id).or_insert_with(|| Reception::new(kind));
            reception.add(Instant::now(), now_us(), &packet);
            reception.packets == 1
        };
        if is_first {
            let _ = events.send(Event::TrackStarted { track: id });
        }
    }
}

pub(super) async fn hear_data(
    label: String,
    channel: Arc<dyn DataChannel>,
    events: broadcast::Sender<Event>,
) {
    while let Some(event) = channel.poll().await {
        let event = match event {
            DataChannelEvent::OnOpen => Event::DataOpen {
                channel: label.clone(),
            },
            DataChannelEvent::OnMessage(message) => {
                match DataMessage::read(&label, &message.data) {
                    Some(message) => Event::Data(message),
                    None => Event::Fault {
                        what: format!("a data message of {} bytes", message.data.len()),
                    },
                }
            }
            _ => continue,
        };
        let _ = events.send(event);
    }
}
