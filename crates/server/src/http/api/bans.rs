//! Who may not enter a room, over HTTP.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde_json::json;
use signaling::ApiRequest;

use super::error::Answer;
use super::extract::{Caller, Room, RoomAndIdentity};
use super::{ask, done, history};
use crate::http::App;

pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller, Room(room): Room) -> Answer {
    let room = history::room(&app, caller, room).await?;
    let bans = app.store.bans(room.id).await.map_err(history::unreadable)?;
    Ok(Json(json!({ "bans": bans })).into_response())
}

pub(super) async fn ban(
    State(app): State<Arc<App>>,
    caller: Caller,
    RoomAndIdentity(room, identity): RoomAndIdentity,
) -> Answer {
    done(ask(&app, caller, ApiRequest::Ban { room, identity }).await?)
}

pub(super) async fn unban(
    State(app): State<Arc<App>>,
    caller: Caller,
    RoomAndIdentity(room, identity): RoomAndIdentity,
) -> Answer {
    done(ask(&app, caller, ApiRequest::Unban { room, identity }).await?)
}
