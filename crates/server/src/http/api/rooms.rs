//! Rooms over HTTP: those that are live, one's own, and what is made of a name.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use protocol::{Identity, RoomId, RoomInfo, RoomName, RoomSettings, Timestamp};
use serde::{Deserialize, Serialize};
use signaling::{ApiReply, ApiRequest, RoomDetails};

use super::error::Answer;
use super::extract::{Body, Caller, MaybeCaller, Room};
use super::{ask, done, live, unexpected};
use crate::http::App;

/// A room, as it is shown.
#[derive(Debug, Serialize)]
struct ShownRoom {
    id: RoomId,
    owner: Option<Identity>,
    is_kept: bool,
    created_at: Timestamp,
    participants: usize,
    info: RoomInfo,
}

impl From<RoomDetails> for ShownRoom {
    fn from(details: RoomDetails) -> Self {
        let RoomDetails {
            record,
            info,
            participants,
        } = details;
        Self {
            id: record.id,
            owner: record.owner,
            is_kept: record.is_kept,
            created_at: record.created_at,
            participants,
            info,
        }
    }
}

fn shown(reply: ApiReply) -> Answer {
    Ok(Json(ShownRoom::from(*details(reply)?)).into_response())
}

/// The room that the rooms answered with.
pub(super) fn details(reply: ApiReply) -> Answer<Box<RoomDetails>> {
    match reply {
        ApiReply::Room(details) => Ok(details),
        _ => Err(unexpected()),
    }
}

/// The rooms that are live, for whoever asks: as much of them as strangers may see.
pub(super) async fn list(State(app): State<Arc<App>>, MaybeCaller(caller): MaybeCaller) -> Answer {
    let sight = live::sight(&app, caller.as_ref())?;
    let rooms = app.live_rooms().await?;
    let rooms: Vec<_> = rooms.into_iter().map(|room| sight.of(room)).collect();
    Ok(Json(rooms).into_response())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRoom {
    name: RoomName,
    #[serde(default)]
    owner: Option<Identity>,
    #[serde(default)]
    settings: RoomSettings,
}

/// Made, or there already.
pub(super) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(new): Body<NewRoom>,
) -> Answer {
    let fresh_room = RoomId::from_bits(rand::random());
    let request = ApiRequest::CreateRoom {
        name: new.name,
        owner: new.owner,
        settings: new.settings,
        fresh_room,
    };
    made(ask(&app, caller, request).await?, fresh_room)
}

/// One's own room; made if there is none.
pub(super) async fn mine(State(app): State<Arc<App>>, caller: Caller) -> Answer {
    let fresh_room = RoomId::from_bits(rand::random());
    let reply = ask(&app, caller, ApiRequest::MyRoom { fresh_room }).await?;
    made(reply, fresh_room)
}

fn made(reply: ApiReply, fresh_room: RoomId) -> Answer {
    let room = ShownRoom::from(*details(reply)?);
    let place = [(header::LOCATION, format!("/api/rooms/{}", room.id))];
    let status = match room.id == fresh_room {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    Ok((status, place, Json(room)).into_response())
}

pub(super) async fn get(
    State(app): State<Arc<App>>,
    caller: Caller,
    Room(room): Room,
) -> Answer<Response> {
    shown(ask(&app, caller, ApiRequest::GetRoom(room)).await?)
}

/// The settings as a whole: whoever leaves one out means none, and is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Update {
    settings: Settings,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    title: String,
    lobby: bool,
    locked: bool,
    #[serde(default)]
    max_participants: Option<u32>,
}

pub(super) async fn update(
    State(app): State<Arc<App>>,
    caller: Caller,
    Room(room): Room,
    Body(Update { settings }): Body<Update>,
) -> Answer {
    let settings = RoomSettings {
        title: settings.title,
        lobby: settings.lobby,
        locked: settings.locked,
        max_participants: settings.max_participants,
    };
    shown(ask(&app, caller, ApiRequest::UpdateRoom { room, settings }).await?)
}

pub(super) async fn delete(
    State(app): State<Arc<App>>,
    caller: Caller,
    Room(room): Room,
) -> Answer {
    done(ask(&app, caller, ApiRequest::DeleteRoom(room)).await?)
}
