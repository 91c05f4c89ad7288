//! Joining, step by step: token, WebSocket, room, first offer, media. Nothing here outlives it.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use protocol::{
    Answer, ClientMessage, Join, Joined, Resume, RoomName, ServerMessage, StateUpdate, TrackKind,
};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::{EVENTS, Participant, REQUESTS, Refused, Timings};
use crate::event::Event;
use crate::media::{Media, Receptions};
use crate::session::{Negotiation, Session};
use crate::tasks::Tasks;
use crate::websocket::WebSocket;
use crate::{ParticipantOptions, Publication, RoomView, http};

/// What the first offer is to bring.
pub(super) struct FirstOffer {
    confirmations: Vec<oneshot::Receiver<Result<Publication>>>,
    answered: oneshot::Receiver<Result<Answer>>,
}

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
        let repetitions = Arc::new(AtomicU64::new(0));
        let media = open_media(options, &view, &tasks, &events, &receptions, &repetitions).await?;
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
            repetitions,
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
    repetitions: &Arc<AtomicU64>,
) -> Result<Media> {
    let mut media = Media::open(
        options,
        tasks.clone(),
        events.clone(),
        receptions.clone(),
        repetitions.clone(),
    )
    .await?;
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
