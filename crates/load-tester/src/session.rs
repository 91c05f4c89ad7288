//! The task of a participant: what the server says and what the participant is asked to do, one after
//! another, with at most one offer under way.

use std::time::Duration;

use anyhow::{Result, anyhow};
use protocol::{Answer, ClientMessage, ErrorBody, ParticipantId, ServerMessage, Track, TrackId};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::event::{DataMessage, Event};
use crate::media::Media;
use crate::options::AnswerFilter;
use crate::websocket::WebSocket;
use crate::{Publication, PublishOptions, Refused, RoomView};

/// What a participant is asked to do.
pub(crate) enum Request {
    Send(ClientMessage, Done<u32>),
    SendText(String, Done<()>),
    Publish(PublishOptions, Done<Publication>),
    RestartIce(Done<Answer>),
    KeyFrame(TrackId, Done<()>),
    SendData(DataMessage, Done<()>),
    Leave(Done<()>),
}

/// Where the result of a request goes.
pub(crate) type Done<T> = oneshot::Sender<Result<T>>;

/// The task of a participant.
pub(crate) struct Session {
    pub(crate) websocket: WebSocket,
    pub(crate) media: Media,
    pub(crate) own_id: ParticipantId,
    pub(crate) room: watch::Sender<RoomView>,
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) answer_filter: Option<AnswerFilter>,
    pub(crate) negotiation: Negotiation,
    pub(crate) ended: watch::Sender<Option<String>>,
    pub(crate) unconfirmed: Vec<Unconfirmed>,
}

/// A publication that the server has not confirmed yet.
pub(crate) struct Unconfirmed {
    /// The section and the number of the `publish`, once it is sent.
    asked: Option<(String, u32)>,
    done: Done<Publication>,
}

/// At most one offer at a time: whatever else is to be offered waits for its answer.
#[derive(Default)]
pub(crate) struct Negotiation {
    /// The `request_id` of the offer that is under way.
    under_way: Option<u32>,
    /// Offer again when the answer is there.
    is_due: bool,
    restarts_ice: bool,
    /// To be told of the answer to the next offer.
    waiting: Vec<Done<Answer>>,
    /// To be told of the answer to the offer under way.
    answered: Vec<Done<Answer>>,
}

impl Negotiation {
    pub(crate) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }
}

/// Why a session ends.
enum End {
    Lost(String),
    Left,
}

impl Session {
    pub(crate) async fn run(
        mut self,
        mut requests: mpsc::Receiver<Request>,
        ping_interval: Duration,
    ) {
        let mut pings = tokio::time::interval(ping_interval);
        let end = loop {
            let step = tokio::select! {
                message = self.websocket.receive() => match message {
                    Ok(Some(message)) => self.hear(message).await,
                    Ok(None) => Err(End::Lost("the server closed the connection".into())),
                    Err(error) => Err(End::Lost(format!("{error:#}"))),
                },
                request = requests.recv() => match request {
                    Some(request) => self.serve(request).await,
                    // The participant was dropped: whoever vanishes says nothing.
                    None => Err(End::Lost("dropped".into())),
                },
                _ = pings.tick() => self.say(&ClientMessage::Ping).await.map(|_| ()),
            };
            if let Err(end) = step {
                break end;
            }
        };
        let reason = match end {
            End::Lost(reason) => reason,
            End::Left => "left".to_owned(),
        };
        self.ended.send_replace(Some(reason.clone()));
        let _ = self.events.send(Event::Closed { reason });
        self.media.close().await;
    }

    /// The next track that is added will be confirmed here.
    pub(crate) fn expect_confirmation(&mut self) -> oneshot::Receiver<Result<Publication>> {
        let (done, confirmation) = oneshot::channel();
        self.unconfirmed.push(Unconfirmed { asked: None, done });
        confirmation
    }

    /// The answer to the next offer will be told here.
    pub(crate) fn expect_answer(&mut self) -> oneshot::Receiver<Result<Answer>> {
        let (done, answered) = oneshot::channel();
        self.negotiation.waiting.push(done);
        answered
    }

    async fn say(&mut self, message: &ClientMessage) -> Result<u32, End> {
        self.websocket
            .send(message)
            .await
            .map_err(|error| End::Lost(format!("{error:#}")))
    }

    /// Offer now, or after the answer that is awaited.
    pub(crate) async fn negotiate(&mut self) -> Result<()> {
        if self.negotiation.under_way.is_some() {
            self.negotiation.is_due = true;
            return Ok(());
        }
        let restarts_ice = std::mem::take(&mut self.negotiation.restarts_ice);
        self.negotiation.answered = std::mem::take(&mut self.negotiation.waiting);
        let (publications, sdp) = self.media.offer(restarts_ice).await?;
        for publish in publications {
            let mid = publish.mid.clone();
            let request_id = self
                .websocket
                .send(&ClientMessage::Publish(publish))
                .await?;
            // Sections are offered in the order in which they were added.
            if let Some(next) = self.unconfirmed.iter_mut().find(|one| one.asked.is_none()) {
                next.asked = Some((mid, request_id));
            }
        }
        let offer = ClientMessage::Offer {
            peer_connection: 1,
            sdp,
        };
        self.negotiation.under_way = Some(self.websocket.send(&offer).await?);
        Ok(())
    }

    async fn hear(&mut self, message: ServerMessage) -> Result<(), End> {
        let result = match &message {
            ServerMessage::Change(change) => {
                self.room.send_modify(|room| room.apply(change));
                Ok(())
            }
            ServerMessage::Published { mid, track } => self.hear_published(mid, track),
            ServerMessage::Answer(answer) => self.hear_answer(answer).await,
            ServerMessage::MediaSectionsRequired { audio, video } => {
                self.add_sections(*audio, *video).await
            }
            ServerMessage::Error(error) => self.hear_error(error),
            _ => Ok(()),
        };
        // What is told last is true already when it is heard.
        let _ = self.events.send(Event::Message(Box::new(message)));
        result.map_err(|error| End::Lost(format!("{error:#}")))
    }

    fn hear_published(&mut self, mid: &str, track: &Track) -> Result<()> {
        let publication = self.media.name(mid, track, self.own_id)?;
        let asked = |one: &Unconfirmed| one.asked.as_ref().is_some_and(|(asked, _)| asked == mid);
        if let Some(at) = self.unconfirmed.iter().position(asked) {
            answer(self.unconfirmed.remove(at).done, Ok(publication));
        }
        Ok(())
    }

    /// An offer that is refused ends the session: it cannot be taken back.
    fn hear_error(&mut self, error: &ErrorBody) -> Result<()> {
        let Some(request_id) = error.request_id else {
            return Ok(());
        };
        if self.negotiation.under_way == Some(request_id) {
            return Err(Refused(error.clone()).into());
        }
        let asked = |one: &Unconfirmed| {
            one.asked
                .as_ref()
                .is_some_and(|(_, asked)| *asked == request_id)
        };
        if let Some(at) = self.unconfirmed.iter().position(asked) {
            answer(
                self.unconfirmed.remove(at).done,
                Err(Refused(error.clone()).into()),
            );
        }
        Ok(())
    }

    async fn hear_answer(&mut self, answer: &Answer) -> Result<()> {
        let sdp = match &self.answer_filter {
            Some(filter) => filter(&answer.sdp),
            None => answer.sdp.clone(),
        };
        self.media.apply_answer(sdp).await?;
        self.negotiation.under_way = None;
        for done in self.negotiation.answered.drain(..) {
            let _ = done.send(Ok(answer.clone()));
        }
        if std::mem::take(&mut self.negotiation.is_due) {
            self.negotiate().await?;
        }
        Ok(())
    }

    async fn add_sections(&mut self, audio: u32, video: u32) -> Result<()> {
        self.media.add_receiving_sections(audio, video).await?;
        self.negotiate().await
    }

    async fn serve(&mut self, request: Request) -> Result<(), End> {
        match request {
            Request::Send(message, done) => answer(done, self.websocket.send(&message).await),
            Request::SendText(text, done) => answer(done, self.websocket.send_text(text).await),
            Request::KeyFrame(track, done) => {
                answer(done, self.media.request_key_frame(track).await)
            }
            Request::SendData(message, done) => answer(done, self.media.send_data(&message).await),
            Request::Publish(options, done) => {
                self.unconfirmed.push(Unconfirmed { asked: None, done });
                return self
                    .add_track(options)
                    .await
                    .map_err(|error| End::Lost(format!("{error:#}")));
            }
            Request::RestartIce(done) => {
                self.negotiation.waiting.push(done);
                self.negotiation.restarts_ice = true;
                return self
                    .negotiate()
                    .await
                    .map_err(|error| End::Lost(format!("{error:#}")));
            }
            Request::Leave(done) => {
                let said = self.websocket.send(&ClientMessage::Leave).await;
                let heard = self.hear_out().await;
                answer(done, said.and(heard));
                return Err(End::Left);
            }
        }
        Ok(())
    }

    async fn add_track(&mut self, options: PublishOptions) -> Result<()> {
        self.media.add_track(options).await?;
        self.negotiate().await
    }

    /// Hear what the server still has to say, until it closes the connection.
    async fn hear_out(&mut self) -> Result<()> {
        const PATIENCE: Duration = Duration::from_secs(10);
        let hearing = async {
            while let Some(message) = self.websocket.receive().await? {
                let _ = self.events.send(Event::Message(Box::new(message)));
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(PATIENCE, hearing)
            .await
            .map_err(|_| anyhow!("the server does not close"))?
    }
}

fn answer<T>(done: Done<T>, result: Result<T>) {
    // Whoever asked may have stopped waiting.
    let _ = done.send(result);
}
