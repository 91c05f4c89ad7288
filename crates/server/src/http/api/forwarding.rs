//! Why somebody gets what they get, over HTTP: the rooms say who may ask, the media worker says what it does.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use media::{ForwardedTrack, Forwarding, LayerReport};
use protocol::{ErrorCode, ParticipantId};
use serde_json::{Value, json};
use signaling::{ApiReply, ApiRequest};

use super::error::Answer;
use super::extract::{Caller, RoomAnd};
use super::{Refusal, ask, unexpected};
use crate::http::App;

pub(super) async fn get(
    State(app): State<Arc<App>>,
    caller: Caller,
    RoomAnd(room, participant): RoomAnd<ParticipantId>,
) -> Answer {
    let request = ApiRequest::Forwarding { room, participant };
    let ApiReply::Receiver(peer) = ask(&app, caller, request).await? else {
        return Err(unexpected());
    };
    let forwarding = match peer {
        None => None,
        Some(peer) => app.explain(peer).await.ok_or_else(|| {
            Refusal::new(ErrorCode::Unavailable, "the media worker does not answer")
        })?,
    };
    // Whose media is not set up, or over, is sent nothing.
    let forwarding = forwarding.unwrap_or(Forwarding {
        estimate_bps: None,
        tracks: Vec::new(),
    });
    Ok(Json(written(&forwarding)).into_response())
}

fn written(forwarding: &Forwarding) -> Value {
    let tracks: Vec<Value> = forwarding.tracks.iter().map(track).collect();
    json!({ "estimate_bps": forwarding.estimate_bps, "tracks": tracks })
}

fn track(of: &ForwardedTrack) -> Value {
    let viewport = of.viewport.map(|viewport| {
        json!({
            "width": viewport.width,
            "height": viewport.height,
            "visible": viewport.visible,
        })
    });
    let layers: Vec<Value> = of.layers.iter().map(layer).collect();
    json!({
        "track_id": of.track,
        "participant_id": of.publisher,
        "kind": of.kind,
        "viewport": viewport,
        "layer": of.layer,
        "target": of.target,
        "temporal": of.temporal,
        "desired": of.desired,
        "reason": of.reason.as_str(),
        "layers": layers,
    })
}

fn layer(of: &LayerReport) -> Value {
    json!({
        "rid": of.rid,
        "active": of.is_active,
        "wanted": of.is_wanted,
        "bitrate_bps": of.bitrate_bps,
        "temporal_bps": of.temporal_bps,
        "width": of.width,
        "height": of.height,
    })
}
