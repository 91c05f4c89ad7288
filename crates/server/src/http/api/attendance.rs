//! Who was in a session, as JSON or as a table for spreadsheets.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use protocol::SessionId;
use protocol::record::AttendanceRecord;
use serde_json::json;
use signaling::RoomRef;

use super::error::Answer;
use super::extract::{Caller, RoomAnd};
use super::{csv, history};
use crate::http::App;

pub(super) async fn get(
    State(app): State<Arc<App>>,
    caller: Caller,
    RoomAnd(room, session): RoomAnd<SessionId>,
    headers: HeaderMap,
) -> Answer {
    let attendance = attendance(&app, caller, room, session).await?;
    match prefers_csv(&headers) {
        true => Ok(as_csv(session, &attendance)),
        false => Ok(Json(json!({ "attendance": attendance })).into_response()),
    }
}

pub(super) async fn csv(
    State(app): State<Arc<App>>,
    caller: Caller,
    RoomAnd(room, session): RoomAnd<SessionId>,
) -> Answer {
    let attendance = attendance(&app, caller, room, session).await?;
    Ok(as_csv(session, &attendance))
}

async fn attendance(
    app: &App,
    caller: Caller,
    room: RoomRef,
    session: SessionId,
) -> Answer<Vec<AttendanceRecord>> {
    let room = history::room(app, caller, room).await?;
    let session = history::session(app, &room, session).await?;
    app.store
        .attendance(session.id)
        .await
        .map_err(history::unreadable)
}

/// Whichever of the two is named first: nobody who wants a table names JSON before it.
fn prefers_csv(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    let first = accepted.unwrap_or_default().split(',').find_map(|kind| {
        let kind = kind.split(';').next()?.trim();
        matches!(kind, "text/csv" | "application/json").then_some(kind)
    });
    first == Some("text/csv")
}

fn as_csv(session: SessionId, attendance: &[AttendanceRecord]) -> axum::response::Response {
    let mut table = csv::Table::new([
        "identity",
        "name",
        "role",
        "joined_at",
        "left_at",
        "seconds",
    ]);
    for record in attendance {
        let left_at = record.left_at;
        let seconds = left_at.map(|left_at| left_at.since(record.joined_at).as_secs().to_string());
        table.row([
            &record.identity.0,
            &record.name,
            &record.role.0,
            &csv::moment(record.joined_at),
            &left_at.map(csv::moment).unwrap_or_default(),
            &seconds.unwrap_or_default(),
        ]);
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"attendance-{session}.csv\""),
        ),
    ];
    (headers, table.into_text()).into_response()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_table_is_for_those_who_ask_for_one() {
        let prefers = |accept: &'static str| {
            prefers_csv(&HeaderMap::from_iter([(
                header::ACCEPT,
                HeaderValue::from_static(accept),
            )]))
        };
        assert!(prefers("text/csv") && prefers("text/html, text/csv;q=0.9, application/json"));
        assert!(!prefers("*/*") && !prefers("application/json, text/csv") && !prefers(""));
        assert!(!prefers_csv(&HeaderMap::new()));
    }
}
