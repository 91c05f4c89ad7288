//! One participant of a video room: enters, publishes, receives every publisher of the room as they come,
//! and answers when Janus offers. Media is the transports'.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use super::connection::{Connection, Description, Handle, KEEP_ALIVE, Told};
use super::feeds::Feeds;
use super::rooms::{Rooms, has_code};
use crate::crowd::{Crowd, Layer, PublishSpec, Receiving, Sending, Transport};
use crate::servers::sdp::{self, Purpose, Section};
use crate::servers::{Attendance, Joining};

/// Janus's number for: nobody of that number publishes.
const NO_SUCH_FEED: u64 = 428;

/// A server under load answers late; one that does not answer for so long will not.
const PATIENCE: Duration = Duration::from_secs(30);

/// One participant of a video room.
pub(super) struct Participant {
    connection: Connection,
    rooms: Arc<Rooms>,
    room: u64,
    /// For being in the room, publishing, and hearing who else does.
    presence: Handle,
    publishing: Option<Transport>,
    receiving: Option<Reception>,
    transport_cc: bool,
}

/// What a participant receives: everything on one transport.
struct Reception {
    transport: Transport,
    feeds: Feeds,
    /// From the first publisher on.
    handle: Option<Handle>,
    /// Janus knows the handle as a subscriber's.
    has_joined: bool,
    /// Of our answers.
    version: u32,
}

impl Reception {
    fn new(transport: Transport, feeds: Feeds) -> Self {
        Self {
            transport,
            feeds,
            handle: None,
            has_joined: false,
            version: 0,
        }
    }
}

impl Participant {
    /// Enter, publish, and ask for what is published already.
    pub(super) async fn join(
        server: SocketAddr,
        rooms: Arc<Rooms>,
        crowd: &Crowd,
        joining: Joining,
    ) -> Result<Self> {
        let mut connection = Connection::open(server, PATIENCE).await?;
        connection.begin_session().await?;
        let presence = connection.attach().await?;
        let room = rooms
            .enter(&mut connection, presence, &joining.room_name)
            .await?;
        let open = || crowd.open(joining.member.clone(), server);
        let publishing = match joining.publishes.is_empty() {
            true => None,
            false => Some(open()?),
        };
        let receiving = match joining.member.subscribes {
            true => Some(Reception::new(open()?, Feeds::of(joining.only.clone()))),
            false => None,
        };
        let mut participant = Self {
            connection,
            rooms,
            room,
            presence,
            publishing,
            receiving,
            transport_cc: joining.transport_cc,
        };
        let joined = participant.enter(&joining).await?;
        joining.member.note_joined();
        participant.hear(joined).await?;
        Ok(participant)
    }

    /// Be in the room, as one who publishes if there is something to publish.
    async fn enter(&mut self, joining: &Joining) -> Result<Told> {
        let mut body = json!({
            "request": "join",
            "ptype": "publisher",
            "room": self.room,
            "display": joining.identity,
        });
        let Some(transport) = &self.publishing else {
            return self.connection.ask(self.presence, body, None).await;
        };
        body["request"] = "joinandconfigure".into();
        let tracks: Vec<Track> = joining.publishes.iter().map(Track::of).collect();
        let sections: Vec<Section> = tracks.iter().enumerate().map(Track::section).collect();
        let offer = sdp::offer(transport.local(), 1, &sections, self.transport_cc);
        let offer = Some(Description::offer(offer));
        let joined = self.connection.ask(self.presence, body, offer).await?;

        let answer = joined.sdp.as_deref().context("Janus answers no offer")?;
        let answer = sdp::Description::read(answer)?;
        let sendings = tracks.into_iter().zip(&answer.sections);
        let sendings = sendings.map(|(track, section)| track.sending(section));
        let sendings = sendings.collect::<Result<Vec<Sending>>>()?;
        transport.set_sending(sendings);
        transport.connect(answer.remote(true)?);
        Ok(joined)
    }

    /// Take in what Janus said, and do what follows from it.
    async fn hear(&mut self, told: Told) -> Result<()> {
        match told.word.as_str() {
            "hangup" => bail!("Janus ended a media connection: {}", told.reason),
            "timeout" => bail!("Janus says that the session timed out"),
            _ => {}
        }
        if told.data["videoroom"] == "destroyed" {
            bail!("Janus ended the room");
        }
        let Some(reception) = &mut self.receiving else {
            return Ok(());
        };
        reception.feeds.hear(&told.data);
        if told.handle == reception.handle {
            self.answer(told).await?;
        }
        self.subscribe().await
    }

    /// Ask for every publisher that was not asked for.
    async fn subscribe(&mut self) -> Result<()> {
        let Some(reception) = &mut self.receiving else {
            return Ok(());
        };
        let due = reception.feeds.take_due();
        if due.is_empty() {
            return Ok(());
        }
        let mut requests = vec![due];
        while let Some(feeds) = requests.pop() {
            match self.ask_for(&feeds).await {
                Ok(offer) => self.answer(offer).await?,
                // One of them has just left, and Janus refuses all: each by itself, then.
                Err(error) if has_code(&error, NO_SUCH_FEED) => {
                    if feeds.len() > 1 {
                        requests.extend(feeds.into_iter().map(|feed| vec![feed]));
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn ask_for(&mut self, feeds: &[u64]) -> Result<Told> {
        let reception = self.receiving.as_mut().context("nothing is received")?;
        let handle = match reception.handle {
            Some(handle) => handle,
            None => *reception.handle.insert(self.connection.attach().await?),
        };
        let streams: Vec<Value> = feeds.iter().map(|feed| json!({ "feed": feed })).collect();
        let body = match reception.has_joined {
            true => json!({ "request": "update", "subscribe": streams }),
            false => json!({
                "request": "join",
                "ptype": "subscriber",
                "room": self.room,
                "streams": streams,
            }),
        };
        let told = self.connection.ask(handle, body, None).await?;
        reception.has_joined = true;
        Ok(told)
    }

    /// Answer, if Janus offers. While one offer is open, further wishes bring none: it follows by itself.
    async fn answer(&mut self, told: Told) -> Result<()> {
        let (Some(offer), Some(reception)) = (told.sdp, &mut self.receiving) else {
            return Ok(());
        };
        let handle = told.handle.context("Janus offers for no handle")?;
        let offer = sdp::Description::read(&offer)?;
        reception.version += 1;
        let transport = &reception.transport;
        transport.set_receiving(Receiving {
            payload_types: payload_types(&offer),
            transport_cc: transport_cc(&offer).filter(|_| self.transport_cc),
        });
        if reception.version == 1 {
            transport.connect(offer.remote(false)?);
        }
        let answer = sdp::answer(
            transport.local(),
            reception.version,
            &offer,
            self.transport_cc,
        );
        let answer = Some(Description::answer(answer));
        let body = json!({ "request": "start" });
        self.connection.ask(handle, body, answer).await?;
        Ok(())
    }
}

#[async_trait]
impl Attendance for Participant {
    async fn serve(&mut self) -> Result<()> {
        let mut keep_alive = interval(KEEP_ALIVE);
        keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let publishing = ended(self.publishing.as_ref());
            let receiving = ended(self.receiving.as_ref().map(|one| &one.transport));
            tokio::select! {
                reason = publishing => bail!("the publishing transport ended: {reason}"),
                reason = receiving => bail!("the receiving transport ended: {reason}"),
                told = self.connection.told() => {
                    let told = told?;
                    self.hear(told).await?;
                }
                _ = keep_alive.tick() => self.connection.keep_alive().await?,
            }
        }
    }

    async fn leave(mut self: Box<Self>) -> Result<()> {
        let rooms = self.rooms.clone();
        rooms
            .leave(&mut self.connection, self.presence, self.room)
            .await?;
        self.connection.close().await
    }
}

/// Why a transport ended, if there is one and it does.
async fn ended(transport: Option<&Transport>) -> String {
    match transport {
        Some(transport) => transport.ended().await,
        None => std::future::pending().await,
    }
}

/// A track to publish.
struct Track {
    spec: PublishSpec,
    layers: Vec<Layer>,
}

impl Track {
    fn of(spec: &PublishSpec) -> Self {
        Self {
            spec: *spec,
            layers: Layer::of(spec),
        }
    }

    fn section((place, track): (usize, &Self)) -> Section {
        Section {
            mid: place.to_string(),
            purpose: Purpose::Send(track.spec, track.layers.clone()),
        }
    }

    /// As Janus answered.
    fn sending(self, section: &sdp::Described) -> Result<Sending> {
        let payload = self.spec.payload();
        let types = section.payload_type(payload).filter(|_| section.is_used);
        let (payload_type, rtx_payload_type) =
            types.with_context(|| format!("Janus refuses {payload:?} in its answer"))?;
        Ok(Sending {
            spec: self.spec,
            mid: section.mid.clone(),
            payload_type,
            rtx_payload_type,
            extensions: section.extensions,
            layers: self.layers,
        })
    }
}

fn payload_types(offer: &sdp::Description) -> Vec<(u8, crate::crowd::Payload)> {
    let used = offer.sections.iter().filter(|section| section.is_used);
    let all = used.flat_map(|section| section.payload_types.iter().copied());
    let each: std::collections::BTreeMap<_, _> = all.collect();
    each.into_iter().collect()
}

fn transport_cc(offer: &sdp::Description) -> Option<u8> {
    let mut sections = offer.sections.iter();
    sections.find_map(|section| section.extensions.transport_cc)
}
