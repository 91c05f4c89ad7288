//! Those in a room, over HTTP: who they are, what they may do, and putting them out.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::json;
use signaling::{ApiReply, ApiRequest, Permissions};

use super::error::Answer;
use super::extract::{Body, Caller, Room, RoomAnd};
use super::{ask, done, unexpected};
use crate::http::App;

pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller, Room(room): Room) -> Answer {
    match ask(&app, caller, ApiRequest::Participants(room)).await? {
        ApiReply::Participants(participants) => {
            Ok(Json(json!({ "participants": participants })).into_response())
        }
        _ => Err(unexpected()),
    }
}

/// What is left out stays as it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Update {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    permissions: Option<Permissions>,
}

pub(super) async fn update(
    State(app): State<Arc<App>>,
    caller: Caller,
    RoomAnd(room, participant): RoomAnd<protocol::ParticipantId>,
    Body(Update { name, permissions }): Body<Update>,
) -> Answer {
    let request = ApiRequest::UpdateParticipant {
        room,
        participant,
        name,
        permissions,
    };
    match ask(&app, caller, request).await? {
        ApiReply::Participant(participant) => Ok(Json(participant).into_response()),
        _ => Err(unexpected()),
    }
}

pub(super) async fn remove(
    State(app): State<Arc<App>>,
    caller: Caller,
    RoomAnd(room, participant): RoomAnd<protocol::ParticipantId>,
) -> Answer {
    let request = ApiRequest::RemoveParticipant { room, participant };
    done(ask(&app, caller, request).await?)
}

/// Nobody but its owner can unmute it.
pub(super) async fn mute(
    State(app): State<Arc<App>>,
    caller: Caller,
    RoomAnd(room, track): RoomAnd<protocol::TrackId>,
) -> Answer {
    done(ask(&app, caller, ApiRequest::MuteTrack { room, track }).await?)
}
