//! Sessions over HTTP: planned, begun, ended, and looked up. The same key never makes a second one.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use protocol::record::SessionRecord;
use protocol::{SessionId, Timestamp};
use serde::Deserialize;
use serde_json::json;
use signaling::{ApiReply, ApiRequest, Start};

use super::error::Answer;
use super::extract::{Asked, Body, Caller, Room, RoomAnd, invalid};
use super::{ask, history, unexpected};
use crate::http::App;

/// As the store has it.
const MOST_OF_A_PAGE: u32 = 1_000;

/// A session is to begin.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Begin {
    key: String,
}

fn start(key: String) -> Start {
    Start {
        key,
        fresh_session: SessionId::from_bits(rand::random()),
    }
}

fn session(reply: ApiReply) -> Answer<SessionRecord> {
    match reply {
        ApiReply::Session(session) => Ok(session),
        _ => Err(unexpected()),
    }
}

pub(super) async fn open_lobby(
    State(app): State<Arc<App>>,
    caller: Caller,
    Room(room): Room,
    Body(Begin { key }): Body<Begin>,
) -> Answer {
    let reply = ask(&app, caller, ApiRequest::OpenLobby(room, start(key))).await?;
    Ok(Json(session(reply)?).into_response())
}

pub(super) async fn go_live(
    State(app): State<Arc<App>>,
    caller: Caller,
    Room(room): Room,
    Body(Begin { key }): Body<Begin>,
) -> Answer {
    let reply = ask(&app, caller, ApiRequest::GoLive(room, start(key))).await?;
    Ok(Json(session(reply)?).into_response())
}

/// A page of sessions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// The last session of the page before.
    #[serde(default)]
    after: Option<SessionId>,
    #[serde(default = "usual_page")]
    limit: u32,
}

fn usual_page() -> u32 {
    100
}

/// Newest first.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Room(room): Room,
    Asked(Page { after, limit }): Asked<Page>,
) -> Answer {
    if !(1..=MOST_OF_A_PAGE).contains(&limit) {
        return Err(invalid(format!("limit may be 1 to {MOST_OF_A_PAGE}")));
    }
    let room = history::room(&app, caller, room).await?;
    if let Some(after) = after {
        history::session(&app, &room, after).await?;
    }
    let sessions = app.store.sessions(room.id, after, limit).await;
    let sessions = sessions.map_err(history::unreadable)?;
    Ok(Json(json!({ "sessions": sessions })).into_response())
}

pub(super) async fn get(
    State(app): State<Arc<App>>,
    caller: Caller,
    RoomAnd(room, session): RoomAnd<SessionId>,
) -> Answer {
    let room = history::room(&app, caller, room).await?;
    let session = history::session(&app, &room, session).await?;
    Ok(Json(session).into_response())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    #[serde(default)]
    session_id: Option<SessionId>,
}

pub(super) async fn end(
    State(app): State<Arc<App>>,
    caller: Caller,
    Room(room): Room,
    Body(End { session_id }): Body<End>,
) -> Answer {
    let request = ApiRequest::EndSession {
        room,
        session: session_id,
    };
    let reply = ask(&app, caller, request).await?;
    Ok(Json(session(reply)?).into_response())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    key: String,
    #[serde(default)]
    title: String,
    scheduled_for: Timestamp,
}

/// Planned, or planned already.
pub(super) async fn schedule(
    State(app): State<Arc<App>>,
    caller: Caller,
    Room(room): Room,
    Body(plan): Body<Plan>,
) -> Answer {
    let start = start(plan.key);
    let fresh_session = start.fresh_session;
    let request = ApiRequest::ScheduleSession {
        room,
        start,
        title: plan.title,
        scheduled_for: plan.scheduled_for,
    };
    let session = session(ask(&app, caller, request).await?)?;
    let place = format!("/api/rooms/{}/sessions/{}", session.room, session.id);
    let status = match session.id == fresh_session {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    Ok((status, [(header::LOCATION, place)], Json(session)).into_response())
}

pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    caller: Caller,
    RoomAnd(room, session_id): RoomAnd<SessionId>,
) -> Answer {
    let request = ApiRequest::CancelSession {
        room,
        session: session_id,
    };
    let reply = ask(&app, caller, request).await?;
    Ok(Json(session(reply)?).into_response())
}
