//! One headless participant: joins, publishes, receives, and counts. Everything it knows of the server
//! it has from the protocol.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use protocol::{
    Answer, ClientMessage, ErrorBody, Join, Joined, ParticipantId, Resume, RoomName, ServerMessage,
    StateUpdate, TrackId, TrackKind,
};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::event::{DataMessage, Event};
use crate::media::{Media, Receptions};
use crate::session::{Done, Negotiation, Request, Session};
use crate::tasks::Tasks;
use crate::websocket::WebSocket;
use crate::{ParticipantOptions, Publication, PublishOptions, Reception, RoomView, http};

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
    first_offer: Option<FirstOffer>,
    first_answer: Option<Answer>,
    room: watch::Receiver<RoomView>,
    connected: watch::Receiver<bool>,
    receptions: Receptions,
    events: broadcast::Sender<Event>,
    ended: watch::Receiver<Option<String>>,
    requests: mpsc::Sender<Request>,
    tasks: Arc<Tasks>,
}

/// What the first offer is to bring.
struct FirstOffer {
    confirmations: Vec<oneshot::Receiver<Result<Publication>>>,
    answered: oneshot::Receiver<Result<Answer>>,
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
    /// Join, publish what the options say, and wait until media may flow. `Refused` is the cause of the
    /// error if the server said no.
    pub async fn join(options: ParticipantOptions) -> Result<Self> {
        let began_at = Instant::now();
        let (websocket, joined) = enter(&options).await?;
        let joined_after = began_at.elapsed();
        let tasks = Tasks::new();
        let mut participant = match Self::begin(&options, websocket, &joined, tasks.clone()).await {
            Ok(participant) => participant,
            Err(error) => {
                tasks.end();
                return Err(error);
            }
        };
        participant.timings = Timings {
            began_at,
            joined: joined_after,
            ..participant.timings
        };
        // From here on dropping the participant ends its tasks.
        let patience = options.patience;
        tokio::time::timeout(patience, participant.connect())
            .await
            .context("no media connection in time")??;
        Ok(participant)
    }

    /// Make the peer connection, send the first offer, and begin to listen.
    async fn begin(
        options: &ParticipantOptions,
        websocket: WebSocket,
        joined: &Joined,
        tasks: Arc<Tasks>,
    ) -> Result<Self> {
        let (events, _) = broadcast::channel(EVENTS);
        let receptions = Receptions::default();
        let view = RoomView::new(joined);
        let media = open_media(options, &view, &tasks, &events, &receptions).await?;
        let connected = media.connected();
        let has_tracks = view.tracks_of_others().next().is_some();
        let (room_sender, room) = watch::channel(view);
        let (ended_sender, ended) = watch::channel(None);
        let mut session = Session {
            websocket,
            media,
            own_id: joined.participant_id,
            room: room_sender,
            events: events.clone(),
            ended: ended_sender,
            answer_filter: options.answer_filter.clone(),
            negotiation: Negotiation::default(),
            unconfirmed: Vec::new(),
        };
        let confirmations = options
            .publish
            .iter()
            .map(|_| session.expect_confirmation())
            .collect();
        let answered = session.expect_answer();
        if options.data || !options.publish.is_empty() || has_tracks {
            session.negotiate().await?;
        }
        let has_offered = session.negotiation.is_under_way();
        let (requests, receiver) = mpsc::channel(REQUESTS);
        let ping_interval = Duration::from_millis(joined.ping_interval_ms.max(1)) / 2;
        tasks.start(session.run(receiver, ping_interval));
        let zero = Duration::ZERO;
        Ok(Self {
            id: joined.participant_id,
            resume_token: joined.resume_token.clone(),
            timings: Timings {
                began_at: Instant::now(),
                joined: zero,
                answered: zero,
                connected: zero,
            },
            publications: Vec::new(),
            first_offer: has_offered.then_some(FirstOffer {
                confirmations,
                answered,
            }),
            first_answer: None,
            room,
            connected,
            receptions,
            events,
            ended,
            requests,
            tasks,
        })
    }

    /// Wait for what the first offer brings.
    async fn connect(&mut self) -> Result<()> {
        let Some(FirstOffer {
            confirmations,
            answered,
        }) = self.first_offer.take()
        else {
            return Ok(());
        };
        for confirmation in confirmations {
            let publication = self.result(confirmation).await?;
            self.publications.push(publication);
        }
        self.first_answer = Some(self.result(answered).await?);
        self.timings.answered = self.timings.began_at.elapsed();
        let mut connected = self.connected.clone();
        connected.wait_for(|is_connected| *is_connected).await?;
        self.timings.connected = self.timings.began_at.elapsed();
        Ok(())
    }

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

/// Connect and join: the WebSocket, and what the server said.
async fn enter(options: &ParticipantOptions) -> Result<(WebSocket, Box<Joined>)> {
    let ParticipantOptions {
        server,
        room,
        name,
        role,
        ..
    } = options;
    let token = match &options.token {
        Some(token) => token.clone(),
        None => http::development_token(*server, room, name, role).await?,
    };
    let mut websocket = WebSocket::connect(*server, options.patience).await?;
    let publishes = |kind| {
        options
            .publish
            .iter()
            .any(|publish| publish.source.kind() == kind)
    };
    let join = Join {
        token,
        room: Some(RoomName(room.clone())),
        resume: options.resume.clone().map(|token| Resume {
            token,
            last_change: None,
        }),
        state: StateUpdate {
            camera: Some(publishes(TrackKind::Video)),
            microphone: Some(publishes(TrackKind::Audio)),
            hand_raised: None,
        },
        subscribe_automatically: options.subscribe_automatically,
    };
    websocket.send(&ClientMessage::Join(join)).await?;
    let answer = tokio::time::timeout(options.patience, websocket.receive())
        .await
        .context("no answer to join")??;
    match answer {
        Some(ServerMessage::Joined(joined)) => Ok((websocket, joined)),
        Some(ServerMessage::Error(error)) => Err(Refused(error).into()),
        other => bail!("in answer to join came {other:?}"),
    }
}

/// A peer connection with a section for each track that is published and each that is there to be received.
async fn open_media(
    options: &ParticipantOptions,
    room: &RoomView,
    tasks: &Arc<Tasks>,
    events: &broadcast::Sender<Event>,
    receptions: &Receptions,
) -> Result<Media> {
    let mut media = Media::open(options, tasks.clone(), events.clone(), receptions.clone()).await?;
    for publish in &options.publish {
        media.add_track(*publish).await?;
    }
    if options.subscribe_automatically {
        let of_kind = |kind| {
            room.tracks_of_others()
                .filter(|track| track.kind == kind)
                .count() as u32
        };
        media
            .add_receiving_sections(of_kind(TrackKind::Audio), of_kind(TrackKind::Video))
            .await?;
    }
    Ok(media)
}
