//! Every WebSocket message by every role and behind every defective token. A message without a row does not
//! build.

use protocol::ClientMessage;
use serde_json::{Value, json};

use crate::client::Client;
use crate::process::Server;
use crate::routes::{NO_RATES, prepared};
use crate::tokens::{Defect, ROOM, Role};

/// Who may say a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    /// To be in the room.
    Seat,
    /// To moderate it.
    Moderating,
    /// To lead it.
    Leading,
}

macro_rules! rows {
    ($($pattern:pat => $type:literal, $needs:expr, $fields:tt;)*) => {
        /// Fails to build when a message is new.
        #[expect(dead_code, reason = "it is there to be checked by the compiler")]
        fn has_row(message: &ClientMessage) {
            match message {
                $($pattern => {})*
            }
        }

        /// Each message, and who may say it. Where something must be named, it is something that is not there.
        fn rows() -> Vec<(&'static str, Needs, Value)> {
            vec![$(($type, $needs, json!($fields)),)*]
        }
    };
}

rows! {
    ClientMessage::Join(_) => "join", Needs::Seat, { "token": "" };
    ClientMessage::Offer { .. } => "offer", Needs::Seat, { "peer_connection": 1, "sdp": "" };
    ClientMessage::Candidate { .. } => "candidate", Needs::Seat, { "peer_connection": 1, "candidate": "" };
    ClientMessage::Publish(_) => "publish", Needs::Seat, { "mid": "0", "source": "camera" };
    ClientMessage::Unpublish { .. } => "unpublish", Needs::Seat, { "track_id": "TR_0000000000001" };
    ClientMessage::Mute { .. } => "mute", Needs::Seat, { "track_id": "TR_0000000000001", "muted": true };
    ClientMessage::UpdateState(_) => "update_state", Needs::Seat, { "hand_raised": false };
    ClientMessage::SetSubscription { .. } => "set_subscription", Needs::Seat,
        { "track_id": "TR_0000000000001", "subscribed": true };
    ClientMessage::SetViewport { .. } => "set_viewport", Needs::Seat, { "tracks": [] };
    ClientMessage::FirstFrame { .. } => "first_frame", Needs::Seat,
        { "connect_ms": 90, "key_frame_ms": 20, "decode_ms": 15 };
    ClientMessage::LiveStatus => "live_status", Needs::Seat, {};
    ClientMessage::Ping => "ping", Needs::Seat, {};
    ClientMessage::OpenLobby { .. } => "open_lobby", Needs::Moderating, { "key": "first" };
    ClientMessage::GoLive { .. } => "go_live", Needs::Moderating, { "key": "first" };
    ClientMessage::EndSession { .. } => "end_session", Needs::Moderating, { "session_id": "SE_0000000000001" };
    ClientMessage::Admit { .. } => "admit", Needs::Moderating, { "participant_ids": ["PA_0000000000001"] };
    ClientMessage::Deny { .. } => "deny", Needs::Moderating, { "participant_ids": ["PA_0000000000001"] };
    ClientMessage::Remove { .. } => "remove", Needs::Moderating, { "participant_id": "PA_0000000000001" };
    ClientMessage::SetLocked { .. } => "set_locked", Needs::Moderating, { "locked": false };
    ClientMessage::HandOver { .. } => "hand_over", Needs::Leading, { "participant_id": "PA_0000000000001" };
    ClientMessage::AskToUnmute { .. } => "ask_to_unmute", Needs::Moderating, { "track_id": "TR_0000000000001" };
    ClientMessage::LowerHand { .. } => "lower_hand", Needs::Moderating, { "participant_id": "PA_0000000000001" };
    ClientMessage::Leave => "leave", Needs::Seat, {};
}

/// Says a message, and what it is refused with, if it is. The ping behind it is answered in any case.
async fn refusal(client: &mut Client, kind: &str, fields: &Value) -> Option<String> {
    let mut message = fields.clone();
    message["type"] = kind.into();
    message["request_id"] = 1.into();
    client.send(message).await;
    if kind == "leave" {
        let answer = client.receive_first(&["goodbye", "error"]).await;
        return answer["code"]
            .as_str()
            .filter(|code| *code != "left")
            .map(str::to_owned);
    }
    client
        .send(json!({ "type": "ping", "request_id": 2 }))
        .await;
    let mut code = None;
    loop {
        let answer = client.receive().await;
        if answer["request_id"] == 1 && answer["type"] == "error" {
            code = answer["code"].as_str().map(str::to_owned);
        }
        if answer["request_id"] == 2 {
            return code;
        }
    }
}

impl Client {
    async fn receive_first(&mut self, kinds: &[&str]) -> Value {
        loop {
            let message = self.receive().await;
            if message["type"]
                .as_str()
                .is_some_and(|kind| kinds.contains(&kind))
            {
                return message;
            }
        }
    }

    /// What a join is answered with.
    async fn join(&mut self, token: &str) -> Value {
        let join = json!({ "type": "join", "token": token, "room": ROOM, "request_id": 1 });
        self.send(join).await;
        self.receive_first(&["joined", "waiting", "error"]).await
    }
}

#[tokio::test]
async fn behind_a_token_that_is_no_good_no_message_is_heard() {
    let server = Server::start("api_messages_defects", NO_RATES);
    let _demoted = prepared(&server).await;
    for defect in Defect::ALL {
        let mut client = server.connect().await;
        let mut expected = "not_joined";
        if let Some(token) = defect.token() {
            let answer = client.join(&token).await;
            match defect {
                Defect::Demoted => {
                    assert_eq!(answer["type"], "joined", "{answer}");
                    expected = "";
                }
                _ => {
                    let code = match defect {
                        Defect::Expired | Defect::NotYet => "token_expired",
                        Defect::WrongRoom => "wrong_room",
                        Defect::Banned => "banned",
                        _ => "token_invalid",
                    };
                    assert_eq!(answer["code"], code, "{defect:?} {answer}");
                }
            }
        }
        for (kind, needs, fields) in rows() {
            let refused = refusal(&mut client, kind, &fields).await;
            match (expected, kind) {
                // In, and nobody's moderator.
                ("", _) => {
                    let is_refused = refused.as_deref() == Some("not_permitted");
                    assert_eq!(
                        is_refused,
                        needs != Needs::Seat,
                        "{defect:?} {kind} {refused:?}"
                    );
                }
                (_, "join") => assert!(refused.is_some(), "{defect:?}"),
                // Who asked to join, and was refused by the room, is still there, and may ask to again.
                (_, "ping" | "candidate" | "first_frame") if defect == Defect::Banned => {
                    assert_eq!(refused, None)
                }
                (code, _) => assert_eq!(refused.as_deref(), Some(code), "{defect:?} {kind}"),
            }
        }
    }
}

#[tokio::test]
async fn every_message_is_for_those_who_may_say_it() {
    let server = Server::start("api_messages_roles", NO_RATES);
    let _demoted = prepared(&server).await;
    for role in Role::ALL {
        let mut client = server.connect().await;
        let is_in = match role.token() {
            Some(token) => client.join(&token).await["type"] == "joined",
            None => false,
        };
        let may_enter = matches!(role, Role::Guest | Role::Owner | Role::Moderator);
        assert_eq!(is_in, may_enter, "{role:?}");
        for (kind, needs, fields) in rows() {
            let refused = refusal(&mut client, kind, &fields).await;
            let refused = refused.as_deref();
            let may = match needs {
                Needs::Seat => true,
                Needs::Moderating => role != Role::Guest,
                Needs::Leading => role == Role::Owner,
            };
            match (is_in, kind) {
                (false, "join") => assert!(refused.is_some(), "{role:?}"),
                (true, "join") => assert_eq!(refused, Some("already_joined"), "{role:?}"),
                (false, _) => assert_eq!(refused, Some("not_joined"), "{role:?} {kind}"),
                (true, _) => {
                    assert_eq!(
                        refused != Some("not_permitted"),
                        may,
                        "{role:?} {kind} {refused:?}"
                    );
                }
            }
        }
    }
}
