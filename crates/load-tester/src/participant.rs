//! One headless participant: joins, publishes, receives, and counts. Everything it knows of the server
//! it has from the protocol.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bytes::Bytes;
use protocol::{Answer, ClientMessage, ErrorBody, ParticipantId, StateUpdate, TrackId, TrackKind};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::event::{DataMessage, Event};
use crate::media::Receptions;
use crate::session::{Done, Request};
use crate::tasks::Tasks;
use crate::{Publication, PublishOptions, Reception, RoomView};

mod joining;

/// Events that wait for a slow watcher; then it misses the oldest.
const EVENTS: usize = 4_096;
/// Requests that wait for the participant's task.
const REQUESTS: usize = 64;

/// One headless participant. Dropping it is a killed process: its sockets close without a goodbye.
pub struct Participant {
    id: ParticipantId,
    resume_token: String,
    timings: Timings,
    publications: Vec<Publication>,
    first_offer: Option<joining::FirstOffer>,
    first_answer: Option<Answer>,
    room: watch::Receiver<RoomView>,
    connected: watch::Receiver<bool>,
    receptions: Receptions,
    repetitions: Arc<AtomicU64>,
    events: broadcast::Sender<Event>,
    ended: watch::Receiver<Option<String>>,
    requests: mpsc::Sender<Request>,
    tasks: Arc<Tasks>,
}

/// How long each step of joining took, from the call of `join`.
#[derive(Clone, Copy, Debug)]
pub struct Timings {
    /// When `join` was called.
    pub began_at: Instant,
    /// The server let us in.
    pub joined: Duration,
    /// The offer was answered.
    pub answered: Duration,
    /// ICE and DTLS were done.
    pub connected: Duration,
}

/// The server refused, in its own words.
#[derive(Clone, Debug)]
pub struct Refused(pub ErrorBody);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "refused: {}: {}", self.0.code, self.0.message)
    }
}

impl std::error::Error for Refused {}

impl Participant {
    /// The participant's id.
    pub fn id(&self) -> ParticipantId {
        self.id
    }

    /// With this the participant can come back.
    pub fn resume_token(&self) -> &str {
        &self.resume_token
    }

    /// How long joining took.
    pub fn timings(&self) -> Timings {
        self.timings
    }

    /// What was published by `join`, in the order of the options.
    pub fn publications(&self) -> &[Publication] {
        &self.publications
    }

    /// The first published track of a kind.
    pub fn publication(&self, kind: TrackKind) -> Option<&Publication> {
        self.publications
            .iter()
            .find(|publication| publication.options.source.kind() == kind)
    }

    /// The answer to the first offer. `None` if there was nothing to offer.
    pub fn first_answer(&self) -> Option<&Answer> {
        self.first_answer.as_ref()
    }

    /// The room now.
    pub fn room(&self) -> RoomView {
        self.room.borrow().clone()
    }

    /// Wait until the room is so.
    pub async fn wait_for_room(
        &self,
        within: Duration,
        is_so: impl FnMut(&RoomView) -> bool,
    ) -> Result<RoomView> {
        let mut room = self.room.clone();
        let waiting = tokio::time::timeout(within, room.wait_for(is_so)).await;
        match waiting {
            Ok(Ok(room)) => Ok(room.clone()),
            Ok(Err(_)) => bail!("the connection is over"),
            Err(_) => bail!("the room is not so after {within:?}: {:?}", self.room()),
        }
    }

    /// Whether the media connection is there.
    pub fn is_connected(&self) -> bool {
        *self.connected.borrow()
    }

    /// Everything that happens from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// What was received of a track so far.
    pub fn reception(&self, track: TrackId) -> Option<Reception> {
        self.receptions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&track)
            .cloned()
    }

    /// What was received so far, by track.
    pub fn receptions(&self) -> BTreeMap<TrackId, Reception> {
        self.receptions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Retransmissions of packets that were there, of all tracks: harmless, and in no [`Reception`].
    pub fn repetitions(&self) -> u64 {
        self.repetitions.load(Relaxed)
    }

    /// Publish one more track.
    pub async fn publish(&self, options: PublishOptions) -> Result<Publication> {
        self.ask(|done| Request::Publish(options, done)).await
    }

    /// Take a track away. Packets go on to the server, which must forward none of them.
    pub async fn unpublish(&self, track_id: TrackId) -> Result<()> {
        self.send(ClientMessage::Unpublish { track_id })
            .await
            .map(|_| ())
    }

    /// Mute or unmute a track. Packets go on to the server, which must forward none while it is muted.
    pub async fn mute(&self, track_id: TrackId, muted: bool) -> Result<()> {
        self.send(ClientMessage::Mute { track_id, muted })
            .await
            .map(|_| ())
    }

    /// Refuse a track, or take it up.
    pub async fn set_subscription(&self, track_id: TrackId, subscribed: bool) -> Result<()> {
        self.send(ClientMessage::SetSubscription {
            track_id,
            subscribed,
        })
        .await
        .map(|_| ())
    }

    /// Say one's own states.
    pub async fn update_state(&self, state: StateUpdate) -> Result<()> {
        self.send(ClientMessage::UpdateState(state))
            .await
            .map(|_| ())
    }

    /// Send any message. Its number comes back, and with it the answer or the error, as an event.
    pub async fn send(&self, message: ClientMessage) -> Result<u32> {
        self.ask(|done| Request::Send(message, done)).await
    }

    /// Send any text, right or wrong.
    pub async fn send_text(&self, text: &str) -> Result<()> {
        self.ask(|done| Request::SendText(text.to_owned(), done))
            .await
    }

    /// Send bytes to everybody else in the room, on the data channel `reliable` or `lossy`.
    pub async fn send_data(&self, channel: &str, payload: &[u8]) -> Result<()> {
        let message = DataMessage {
            channel: channel.to_owned(),
            from: None,
            is_text: false,
            payload: Bytes::copy_from_slice(payload),
        };
        self.ask(|done| Request::SendData(message, done)).await
    }

    /// Ask for a key frame of a track, by PLI, as a browser does that cannot decode.
    pub async fn request_key_frame(&self, track: TrackId) -> Result<()> {
        self.ask(|done| Request::KeyFrame(track, done)).await
    }

    /// Restart ICE: new credentials, a new socket. Done when the offer for it is answered.
    pub async fn restart_ice(&self) -> Result<Answer> {
        self.ask(Request::RestartIce).await
    }

    /// Go, and wait until the server has closed the connection.
    pub async fn leave(self) -> Result<()> {
        self.ask(Request::Leave).await
    }

    /// Vanish: the sockets close without a goodbye.
    pub fn kill(self) {}

    /// Why the connection is over, if it is.
    pub fn ended(&self) -> Option<String> {
        self.ended.borrow().clone()
    }

    async fn ask<T>(&self, request: impl FnOnce(Done<T>) -> Request) -> Result<T> {
        let (done, result) = oneshot::channel();
        // If nobody is there to receive it, the result says so.
        let _ = self.requests.send(request(done)).await;
        self.result(result).await
    }

    async fn result<T>(&self, result: oneshot::Receiver<Result<T>>) -> Result<T> {
        match result.await {
            Ok(result) => result,
            Err(_) => bail!(
                "the connection is over: {}",
                self.ended().unwrap_or_default()
            ),
        }
    }
}

impl Drop for Participant {
    fn drop(&mut self) {
        self.tasks.end();
    }
}
