//! Plenum: one WebSocket and one transport for each participant, on which the client always offers. Media
//! is the transport's.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, bail, ensure};
use async_trait::async_trait;
use protocol::{
    Answer, Change, ClientMessage, ErrorBody, ErrorCode, Join, Joined, ParticipantId, Publish,
    RoomName, ServerMessage, Track, TrackKind, TrackSource,
};
use tokio::time::Interval;

use super::sdp::{self, Description, Purpose, Section};
use super::{Attendance, Joining, Signaling, resolve};
use crate::command_line::Key;
use crate::crowd::{Crowd, Layer, Payload, Receiving, Sending, Transport};
use crate::http;
use crate::websocket::WebSocket;

const DEFAULT_PORT: u16 = 80;
/// A server under load answers late; one that does not answer for so long will not.
const PATIENCE: Duration = Duration::from_secs(30);
/// A run is over before its tokens are: the longest is a day.
const TOKEN: Duration = Duration::from_secs(2 * 24 * 3_600);

/// A Plenum.
pub struct Plenum {
    address: SocketAddr,
    key: Option<Key>,
}

impl Plenum {
    /// The one at `http://host:port`, with tokens signed by this key, or given by its development mode.
    pub async fn at(url: &str, key: Option<Key>) -> Result<Self> {
        let address = resolve(url, DEFAULT_PORT).await?;
        Ok(Self { address, key })
    }

    async fn token(&self, room: &str, identity: &str) -> Result<String> {
        match &self.key {
            Some(key) => signed_token(key, room, identity),
            None => development_token(self.address, room, identity)
                .await
                .context(
                    "the server gives no token: if it has keys of its own, say --key and --secret",
                ),
        }
    }
}

#[async_trait]
impl Signaling for Plenum {
    async fn server(&self) -> Result<String> {
        let address = self.address;
        let response = http::get(address, "/metrics").await;
        let response = response.with_context(|| {
            format!("nobody answers at {address}: is the server running there?")
        })?;
        let (_, version) = (response.body)
            .split_once("plenum_build_info{version=\"")
            .with_context(|| format!("{address} answers, but not as Plenum does"))?;
        Ok(format!(
            "Plenum {}",
            version.split('"').next().unwrap_or_default()
        ))
    }

    async fn join(&self, crowd: &Crowd, joining: Joining) -> Result<Box<dyn Attendance>> {
        let joining_in_time = Participant::join(self, crowd, joining);
        let joined = tokio::time::timeout(PATIENCE, joining_in_time).await;
        let seconds = PATIENCE.as_secs();
        let participant =
            joined.map_err(|_| anyhow!("the server has not let us in after {seconds} s"))??;
        Ok(Box::new(participant))
    }
}

async fn development_token(server: SocketAddr, room: &str, identity: &str) -> Result<String> {
    let wish = serde_json::json!({ "room": room, "name": identity, "identity": identity });
    let response = http::post_json(server, "/api/dev/token", &wish).await?;
    let (status, body) = (response.status, response.body.trim());
    ensure!(status == 200, "it answers {status}: {body}");
    let answer: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let token = answer["token"].as_str();
    Ok(token
        .context("there is no \"token\" in its answer")?
        .to_owned())
}

/// The claims of `docs/protocol.md`.
fn signed_token(key: &Key, room: &str, identity: &str) -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.context("the clock is before 1970")?;
    let claims = serde_json::json!({
        "iss": key.name,
        "sub": identity,
        "name": identity,
        "exp": (now + TOKEN).as_secs(),
        "video": { "room": room, "roomJoin": true },
    });
    let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
    let secret = jsonwebtoken::EncodingKey::from_secret(key.secret.as_bytes());
    jsonwebtoken::encode(&header, &claims, &secret).context("no token can be signed")
}

/// One participant.
struct Participant {
    websocket: WebSocket,
    transport: Transport,
    pings: Interval,
    sections: Vec<Section>,
    version: u32,
    transport_cc: bool,
    /// Tracks of this one are asked for, and come by themselves of nobody.
    only: Option<ParticipantId>,
    is_offering: bool,
    /// Something came while an answer was awaited: offer again.
    offers_again: bool,
}

impl Participant {
    async fn join(server: &Plenum, crowd: &Crowd, joining: Joining) -> Result<Self> {
        let token = server.token(&joining.room_name, &joining.identity).await?;
        let websocket = WebSocket::connect(server.address, PATIENCE).await;
        let mut websocket = websocket.context(CONNECTIONS)?;
        let join = Join {
            token,
            room: Some(RoomName(joining.room_name)),
            subscribe_automatically: joining.member.subscribes && joining.only.is_none(),
            ..Join::default()
        };
        websocket.send(&ClientMessage::Join(join)).await?;
        let joined = entered(&mut websocket).await?;
        joining.member.note_joined();

        let specs = joining.publishes.iter().enumerate();
        let mut sections: Vec<Section> = specs
            .map(|(at, spec)| Section {
                mid: at.to_string(),
                purpose: Purpose::Send(*spec, Layer::of(spec)),
            })
            .collect();
        let others = joined.participants.iter();
        let others = others.filter(|one| one.id != joined.participant_id);
        let is_wanted = |identity: &str| joining.only.as_ref().is_none_or(|only| only == identity);
        let wanted: Vec<_> = others.filter(|one| is_wanted(&one.identity.0)).collect();
        let tracks = wanted.iter().flat_map(|participant| &participant.tracks);
        let tracks: Vec<&Track> = tracks.filter(|_| joining.member.subscribes).collect();
        add_receiving(&mut sections, &tracks);
        let only = joining.only.as_ref().and_then(|_| Some(wanted.first()?.id));
        let ping_interval = Duration::from_millis(joined.ping_interval_ms.max(100));
        let mut participant = Self {
            transport: crowd.open(joining.member, server.address)?,
            websocket,
            pings: tokio::time::interval(ping_interval),
            sections,
            version: 0,
            transport_cc: joining.transport_cc,
            only,
            is_offering: false,
            offers_again: false,
        };
        if only.is_some() {
            for track in tracks {
                participant.subscribe(track).await?;
            }
        }
        participant.publish().await?;
        participant.offer().await?;
        while participant.is_offering {
            let message = participant.websocket.receive().await?;
            participant.hear(message.context(CLOSED)?).await?;
        }
        Ok(participant)
    }

    async fn subscribe(&mut self, track: &Track) -> Result<()> {
        let wish = ClientMessage::SetSubscription {
            track_id: track.id,
            subscribed: true,
        };
        self.websocket.send(&wish).await.map(drop)
    }

    /// Say what the sending sections of the first offer carry.
    async fn publish(&mut self) -> Result<()> {
        for section in &self.sections {
            if let Purpose::Send(spec, _) = &section.purpose {
                let source = match spec.is_audio() {
                    true => TrackSource::Microphone,
                    false => TrackSource::Camera,
                };
                let publish = Publish {
                    mid: section.mid.clone(),
                    source,
                    muted: false,
                };
                self.websocket
                    .send(&ClientMessage::Publish(publish))
                    .await?;
            }
        }
        Ok(())
    }

    /// Offer what sections there are, or after the answer that is awaited.
    async fn offer(&mut self) -> Result<()> {
        if self.is_offering {
            self.offers_again = true;
            return Ok(());
        }
        self.version += 1;
        let local = self.transport.local();
        let sdp = sdp::offer(local, self.version, &self.sections, self.transport_cc);
        let offer = ClientMessage::Offer {
            peer_connection: 1,
            sdp,
        };
        self.websocket.send(&offer).await?;
        self.is_offering = true;
        Ok(())
    }

    async fn hear(&mut self, message: ServerMessage) -> Result<()> {
        match message {
            ServerMessage::Answer(answer) => self.hear_answer(&answer).await,
            ServerMessage::MediaSectionsRequired { audio, video } => {
                let audio = (0..audio).map(|_| Purpose::ReceiveAudio);
                let video = (0..video).map(|_| Purpose::ReceiveVideo);
                for purpose in audio.chain(video) {
                    let mid = self.sections.len().to_string();
                    self.sections.push(Section { mid, purpose });
                }
                self.offer().await
            }
            ServerMessage::Change(numbered) => match &numbered.change {
                Change::TrackPublished {
                    participant_id,
                    track,
                } if self.only == Some(*participant_id) => self.subscribe(track).await,
                _ => Ok(()),
            },
            ServerMessage::Error(error) => Err(refused(&error)),
            ServerMessage::Goodbye(goodbye) => {
                bail!("the server said goodbye: {}", goodbye.message)
            }
            ServerMessage::MediaEnded { .. } => bail!("the server ended the media connection"),
            _ => Ok(()),
        }
    }

    async fn hear_answer(&mut self, answer: &Answer) -> Result<()> {
        let description = Description::read(&answer.sdp)?;
        self.transport.set_receiving(receiving(&description));
        if self.version == 1 {
            self.transport.set_sending(self.sending(&description)?);
        }
        self.transport.connect(description.remote(true)?);
        self.is_offering = false;
        match std::mem::take(&mut self.offers_again) {
            true => self.offer().await,
            false => Ok(()),
        }
    }

    fn sending(&self, answer: &Description) -> Result<Vec<Sending>> {
        let pairs = self.sections.iter().zip(&answer.sections);
        let sendings = pairs.filter_map(|(section, answered)| match &section.purpose {
            Purpose::Send(spec, layers) => Some((spec, layers, section, answered)),
            _ => None,
        });
        let sendings = sendings.map(|(spec, layers, section, answered)| {
            let payload_type = answered.payload_type(spec.payload());
            let (payload_type, rtx_payload_type) = payload_type
                .filter(|_| answered.is_used)
                .with_context(|| format!("the server does not take {:?}", spec.payload()))?;
            Ok(Sending {
                spec: *spec,
                mid: section.mid.clone(),
                payload_type,
                rtx_payload_type,
                extensions: answered.extensions,
                layers: layers.clone(),
            })
        });
        sendings.collect()
    }
}

const CLOSED: &str = "the server closed the connection";
const CONNECTIONS: &str = "no WebSocket to the server (it takes at most limits.connections_per_address \
     from one address, 256 by default)";

/// The server lets us in, or says why not.
async fn entered(websocket: &mut WebSocket) -> Result<Joined> {
    loop {
        match websocket.receive().await?.context(CLOSED)? {
            ServerMessage::Joined(joined) => return Ok(*joined),
            ServerMessage::Waiting(_) => bail!("the room has a waiting room: nobody lets us in"),
            ServerMessage::Error(error) => return Err(refused(&error)),
            ServerMessage::Goodbye(goodbye) => bail!("the server refuses: {}", goodbye.message),
            _ => {}
        }
    }
}

/// With what to change, where it is ours to change.
fn refused(error: &ErrorBody) -> anyhow::Error {
    let advice = match error.code {
        ErrorCode::TooFast => {
            " Raise limits.joins_per_address_per_second of the server and then --join-rate, or lower \
             --join-rate."
        }
        ErrorCode::TokenInvalid | ErrorCode::TokenExpired => {
            " Check --key and --secret against the [keys] of the server."
        }
        ErrorCode::RoomFull => " Raise limits.participants_per_room of the server.",
        ErrorCode::ServerFull => " Raise limits.participants and limits.rooms of the server.",
        _ => "",
    };
    anyhow!(
        "the server refuses: {} ({}).{advice}",
        error.message,
        error.code.as_str()
    )
}

/// A section for each track that is there; without any, one to connect with.
fn add_receiving(sections: &mut Vec<Section>, tracks: &[&Track]) {
    let mut purposes: Vec<Purpose> = tracks
        .iter()
        .map(|track| match track.kind {
            TrackKind::Audio => Purpose::ReceiveAudio,
            TrackKind::Video => Purpose::ReceiveVideo,
        })
        .collect();
    if purposes.is_empty() && sections.is_empty() {
        purposes.push(Purpose::ReceiveVideo);
    }
    for purpose in purposes {
        let mid = sections.len().to_string();
        sections.push(Section { mid, purpose });
    }
}

/// How to read whatever the server sends: payload types mean the same in every section.
fn receiving(answer: &Description) -> Receiving {
    let mut payload_types: Vec<(u8, Payload)> = Vec::new();
    for section in &answer.sections {
        payload_types.extend(&section.payload_types);
    }
    payload_types.sort_by_key(|(number, _)| *number);
    payload_types.dedup();
    let mut sections = answer.sections.iter();
    Receiving {
        payload_types,
        transport_cc: sections.find_map(|section| section.extensions.transport_cc),
    }
}

#[async_trait]
impl Attendance for Participant {
    async fn serve(&mut self) -> Result<()> {
        loop {
            tokio::select! {
                message = self.websocket.receive() => {
                    let message = message.context("the connection to the server is lost")?;
                    self.hear(message.context(CLOSED)?).await?;
                }
                _ = self.pings.tick() => {
                    let sent = self.websocket.send(&ClientMessage::Ping).await;
                    sent.context("the connection to the server is lost")?;
                }
                reason = self.transport.ended() => bail!("{reason}"),
            }
        }
    }

    async fn leave(mut self: Box<Self>) -> Result<()> {
        self.websocket.send(&ClientMessage::Leave).await?;
        let goodbye = async {
            while let Ok(Some(message)) = self.websocket.receive().await {
                if matches!(message, ServerMessage::Goodbye(_)) {
                    break;
                }
            }
        };
        // Who does not say goodbye in time has heard ours.
        let _ = tokio::time::timeout(Duration::from_secs(5), goodbye).await;
        Ok(())
    }
}
