//! What handlers take from a request: who asks, which room, the body. What cannot be read is refused here;
//! what may be done is decided elsewhere.

use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use protocol::{ErrorCode, Identity, RoomName};
use serde::de::DeserializeOwned;
use signaling::RoomRef;

use super::error::Refusal;
use crate::auth;
use crate::http::App;

/// Who asks, by the bearer token.
pub(super) struct Caller(pub(super) signaling::Caller);

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let Caller(caller) = MaybeCaller::from_request_parts(parts, app)
            .await?
            .0
            .ok_or_else(|| Refusal::anonymous("there is no \"Authorization: Bearer\" header"))?;
        Ok(Caller(caller))
    }
}

/// Who asks, if they say so at all. A token that is not good is no stranger's, but refused.
pub(super) struct MaybeCaller(pub(super) Option<Caller>);

impl FromRequestParts<Arc<App>> for MaybeCaller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        if !parts.headers.contains_key(header::AUTHORIZATION) {
            return Ok(Self(None));
        }
        let caller = auth::caller(&app.keys, &parts.headers)?;
        Ok(Self(Some(Caller(caller))))
    }
}

/// One part of the path.
#[derive(Debug)]
pub(super) struct Room(pub(super) RoomRef);

/// An id is an id; all else is a name.
pub(super) fn room_ref(text: String) -> RoomRef {
    match text.parse() {
        Ok(id) => RoomRef::Id(id),
        Err(_) => RoomRef::Name(RoomName(text)),
    }
}

impl FromRequestParts<Arc<App>> for Room {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let [room] = parts_of_path(parts, app).await?;
        Ok(Self(room_ref(room)))
    }
}

/// A room, and something in it by its id.
#[derive(Debug)]
pub(super) struct RoomAnd<T>(pub(super) RoomRef, pub(super) T);

/// An id that can stand in a path, and what is not found if it is none.
pub(super) trait PathPart: FromStr {
    const NOT_FOUND: ErrorCode;
    const WHAT: &str;
}

impl PathPart for protocol::SessionId {
    const NOT_FOUND: ErrorCode = ErrorCode::SessionNotFound;
    const WHAT: &str = "session";
}

impl PathPart for protocol::ParticipantId {
    const NOT_FOUND: ErrorCode = ErrorCode::ParticipantNotFound;
    const WHAT: &str = "participant";
}

impl PathPart for protocol::TrackId {
    const NOT_FOUND: ErrorCode = ErrorCode::TrackNotFound;
    const WHAT: &str = "track";
}

impl<T: PathPart> FromRequestParts<Arc<App>> for RoomAnd<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let [room, part] = parts_of_path(parts, app).await?;
        let part = part.parse().map_err(|_| {
            Refusal::new(
                T::NOT_FOUND,
                format!("there is no {} with that id", T::WHAT),
            )
        })?;
        Ok(Self(room_ref(room), part))
    }
}

/// A room, and somebody by their identity.
#[derive(Debug)]
pub(super) struct RoomAndIdentity(pub(super) RoomRef, pub(super) Identity);

impl FromRequestParts<Arc<App>> for RoomAndIdentity {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let [room, identity] = parts_of_path(parts, app).await?;
        Ok(Self(room_ref(room), Identity(identity)))
    }
}

async fn parts_of_path<const N: usize>(
    parts: &mut Parts,
    app: &Arc<App>,
) -> Result<[String; N], Refusal> {
    let Path(texts): Path<Vec<String>> = Path::from_request_parts(parts, app)
        .await
        .map_err(|rejection| invalid(rejection.body_text()))?;
    texts
        .try_into()
        .map_err(|_| Refusal::new(ErrorCode::Internal, "a route takes what its path has not"))
}

/// The query, as `T` has it.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<App>> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let Query(query) = Query::from_request_parts(parts, app)
            .await
            .map_err(|rejection: QueryRejection| invalid(rejection.body_text()))?;
        Ok(Self(query))
    }
}

/// The body, as JSON.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Refusal> {
        match Json::from_request(request, app).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(rejection) => Err(not_read(&rejection)),
        }
    }
}

fn not_read(rejection: &JsonRejection) -> Refusal {
    let text = rejection.body_text();
    match rejection.status() {
        StatusCode::UNPROCESSABLE_ENTITY => invalid(text),
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::new(ErrorCode::MessageTooLarge, text),
        status => Refusal::new(ErrorCode::MalformedMessage, text).with_status(status),
    }
}

pub(crate) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(ErrorCode::InvalidRequest, message)
}
