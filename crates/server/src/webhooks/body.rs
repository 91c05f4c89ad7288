//! What a target is told: the store's event, in the form that LiveKit's server SDKs read, with all that Plenum
//! says more beside it. It decides nothing.

use serde_json::{Map, Value, json};
use store::Delivery;

/// An event as JSON. `id`, `event`, `createdAt`, `room`, `participant` and `track` are LiveKit's.
pub(super) fn of(event: &Delivery) -> Value {
    let mut body = Map::from_iter([
        ("id".to_owned(), json!(format!("EV_{}", event.event))),
        ("event".to_owned(), json!(event.kind)),
        ("createdAt".to_owned(), json!(event.at.0 / 1_000)),
        ("createdAtMs".to_owned(), json!(event.at.0)),
    ]);
    let mut take = |name: &str, shown: fn(&Value) -> Value| {
        if let Some(value) = event.body.get(name) {
            body.insert(name.to_owned(), shown(value));
        }
    };
    take("room", room);
    take("session", Value::clone);
    take("participant", participant);
    take("track", track);
    Value::Object(body)
}

/// Fields of Plenum's own have its names; those of LiveKit have LiveKit's, where the two would be mistaken.
fn room(room: &Value) -> Value {
    let mut shown = with_names(room, &[("id", "sid")]);
    if let Some(at) = room["created_at"].as_u64() {
        shown.insert("creationTime".into(), json!(at / 1_000));
    }
    Value::Object(shown)
}

fn participant(participant: &Value) -> Value {
    let names = [
        ("participant", "sid"),
        ("joined_at", "joinedAtMs"),
        ("left_at", "leftAtMs"),
    ];
    let mut shown = with_names(participant, &names);
    if let Some(at) = participant["joined_at"].as_u64() {
        shown.insert("joinedAt".into(), json!(at / 1_000));
    }
    Value::Object(shown)
}

fn track(track: &Value) -> Value {
    let mut shown = with_names(track, &[("id", "sid")]);
    let (kind, source) = match track["source"].as_str() {
        Some("camera") => ("VIDEO", "CAMERA"),
        Some("microphone") => ("AUDIO", "MICROPHONE"),
        Some("screen") => ("VIDEO", "SCREEN_SHARE"),
        Some("screen_audio") => ("AUDIO", "SCREEN_SHARE_AUDIO"),
        _ => return Value::Object(shown),
    };
    shown.insert("type".into(), json!(kind));
    shown.insert("source".into(), json!(source));
    Value::Object(shown)
}

fn with_names(value: &Value, names: &[(&str, &str)]) -> Map<String, Value> {
    let fields = value.as_object().into_iter().flatten();
    let named = fields.map(|(name, value)| {
        let other = names.iter().find(|(known, _)| known == name);
        let name = other.map_or(name.as_str(), |(_, other)| other);
        (name.to_owned(), value.clone())
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use protocol::Timestamp;

    use super::*;

    fn event(kind: &str, body: Value) -> Value {
        of(&Delivery {
            event: 7,
            kind: kind.into(),
            at: Timestamp(12_345),
            body,
            target: "https://hook.example".into(),
            attempts: 0,
            due_at: Timestamp(0),
        })
    }

    #[test]
    fn a_participant_is_told_in_livekits_words_and_in_our_own() {
        let body = json!({
            "room": { "id": "RM_1", "name": "class" },
            "participant": {
                "session": "SE_1", "participant": "PA_1", "identity": "ann", "name": "Ann", "role": "guest",
                "joined_at": 5_500, "left_at": 12_345,
            },
        });
        assert_eq!(
            event("participant_left", body),
            json!({
                "id": "EV_7", "event": "participant_left", "createdAt": 12, "createdAtMs": 12_345,
                "room": { "sid": "RM_1", "name": "class" },
                "participant": {
                    "session": "SE_1", "sid": "PA_1", "identity": "ann", "name": "Ann", "role": "guest",
                    "joinedAt": 5, "joinedAtMs": 5_500, "leftAtMs": 12_345,
                },
            })
        );
    }

    #[test]
    fn each_source_of_a_track_is_one_of_livekits() {
        for (source, kind, shown) in [
            ("camera", "VIDEO", "CAMERA"),
            ("microphone", "AUDIO", "MICROPHONE"),
            ("screen", "VIDEO", "SCREEN_SHARE"),
            ("screen_audio", "AUDIO", "SCREEN_SHARE_AUDIO"),
        ] {
            let body = event(
                "track_published",
                json!({ "track": { "id": "TR_1", "source": source } }),
            );
            let expected = json!({ "sid": "TR_1", "source": shown, "type": kind });
            assert_eq!(body["track"], expected);
        }
    }
}
