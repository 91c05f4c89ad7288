//! What moderators do to others, and what is taken from them while they do it: at once, and again at the
//! next try.

use protocol::{Change, ErrorCode, Identity, ServerMessage, StateUpdate, TrackSource};
use signaling::{ApiReply, ApiRequest, Effect, MediaEffect, Permissions, Request};

use crate::expected::{assert_goodbye, assert_refused};
use crate::world::{
    EVERYTHING, Joining, REQUEST, World, backend, class, live_room, person, student, tutor,
};

fn done() -> ServerMessage {
    ServerMessage::Done {
        request_id: REQUEST,
        session: None,
    }
}

fn remove(world: &mut World, by: &str, who: &str, ban: bool) -> Vec<Effect> {
    let participant = world.id(who);
    world.ask(by, Request::Remove { participant, ban })
}

/// A live room with a student who publishes.
fn class_of_anna() -> World {
    let (mut world, _) = live_room();
    world.join("anna");
    world.publish("anna", "0", TrackSource::Microphone);
    world.offer("anna", 1);
    world
}

fn permit(world: &mut World, who: &str, permissions: Permissions) -> Vec<Effect> {
    let request = ApiRequest::UpdateParticipant {
        room: class(),
        participant: world.id(who),
        name: None,
        permissions: Some(permissions),
    };
    let (result, effects) = world.api(&person("host"), request);
    result.expect("permissions");
    effects
}

#[test]
fn whoever_is_removed_is_out_at_once_and_may_come_again() {
    let mut world = class_of_anna();
    let (connection, peer, participant_id) = (
        world.connection("anna"),
        world.peer("anna"),
        world.id("anna"),
    );
    let effects = remove(&mut world, "host", "anna", false);
    assert_goodbye(&effects[..2], connection, ErrorCode::Removed, false);
    assert_eq!(
        effects[2..],
        [
            world.media(MediaEffect::ClosePeer { peer }),
            world.told(&["host"], 6, Change::ParticipantLeft { participant_id }),
            world.acknowledged("host", done()),
        ]
    );
    world.join("anna");
    assert_eq!(world.rooms.counts().participants, 2);
}

#[test]
fn a_ban_works_at_once_and_at_the_next_join_until_it_is_lifted() {
    let mut world = class_of_anna();
    let connection = world.connection("anna");
    let effects = remove(&mut world, "host", "anna", true);
    assert_goodbye(&effects[..2], connection, ErrorCode::Banned, false);
    assert_eq!(world.store.bans.len(), 1);
    let effects = world.join("anna");
    assert_refused(&world, &effects, "anna", ErrorCode::Banned);
    let effects = world.join_as(tutor("anna"));
    assert_refused(&world, &effects, "anna", ErrorCode::Banned);
    world.restart();
    let effects = world.join("anna");
    assert_refused(&world, &effects, "anna", ErrorCode::Banned);

    let (room, identity) = (class(), Identity("anna".into()));
    world.api_ok(&person("host"), ApiRequest::Unban { room, identity });
    assert_eq!(world.store.bans.len(), 0);
    world.join("anna");
    assert!(
        world.clients["anna"].outside.is_some(),
        "waits as others do"
    );
}

#[test]
fn a_ban_over_http_reaches_those_inside_and_those_outside() {
    let mut world = class_of_anna();
    crate::waiting::set_lobby(&mut world, true);
    world.join("ben");
    for who in ["anna", "ben"] {
        let connection = world.connection(who);
        let (room, identity) = (class(), Identity(who.into()));
        let ban = ApiRequest::Ban { room, identity };
        let (result, effects) = world.api(&person("host"), ban.clone());
        assert_eq!(result, Ok(ApiReply::Done));
        assert_goodbye(&effects[..2], connection, ErrorCode::Banned, false);
        assert_eq!(world.api_ok(&person("host"), ban), ApiReply::Done);
        assert_eq!(world.written, [], "banned once");
    }
    assert_eq!(world.rooms.counts().waiting, 0);
}

#[test]
fn nobody_puts_out_the_host_or_the_owner_or_themselves() {
    let mut world = class_of_anna();
    world.join_as(tutor("tom"));
    let effects = remove(&mut world, "tom", "host", true);
    assert_refused(&world, &effects, "tom", ErrorCode::NotPermitted);
    let participant = world.id("anna");
    world.ask("host", Request::HandOver { participant });
    for who in ["host", "anna", "tom"] {
        let effects = remove(&mut world, "tom", who, false);
        assert_refused(&world, &effects, "tom", ErrorCode::NotPermitted);
    }
    let effects = remove(&mut world, "anna", "tom", false);
    assert_eq!(effects.last(), Some(&world.acknowledged("anna", done())));
}

#[test]
fn a_student_may_do_nothing_of_it() {
    let mut world = class_of_anna();
    world.join("ben");
    let (participant, track) = (world.id("anna"), world.track("anna", "0"));
    for request in [
        Request::Remove {
            participant,
            ban: false,
        },
        Request::SetLocked { locked: true },
        Request::HandOver { participant },
        Request::AskToUnmute { track },
        Request::LowerHand { participant },
        Request::Admit {
            participants: vec![],
        },
        Request::Deny {
            participants: vec![],
        },
    ] {
        let effects = world.ask("ben", request);
        assert_refused(&world, &effects, "ben", ErrorCode::NotPermitted);
    }
}

#[test]
fn a_moderator_asks_to_unmute_and_does_not_do_it() {
    let mut world = class_of_anna();
    let track = world.track("anna", "0");
    let ask = Request::AskToUnmute { track };
    let effects = world.ask("host", ask.clone());
    assert_eq!(effects, [world.acknowledged("host", done())], "not muted");
    world.mute("host", track, true);
    let effects = world.ask("host", ask.clone());
    let (track_id, by) = (track, world.id("host"));
    assert_eq!(
        effects,
        [
            world.to(&["anna"], ServerMessage::UnmuteAsked { track_id, by }),
            world.acknowledged("host", done()),
        ]
    );
    assert!(world.participant("anna").tracks[0].muted);
    world.lose("anna");
    let effects = world.ask("host", ask);
    assert_refused(&world, &effects, "host", ErrorCode::ParticipantNotFound);
}

#[test]
fn c5_a_moderator_lowers_a_hand() {
    let mut world = class_of_anna();
    world.ask(
        "anna",
        Request::UpdateState(StateUpdate {
            hand_raised: Some(true),
            ..StateUpdate::default()
        }),
    );
    let participant = world.id("anna");
    let effects = world.ask("host", Request::LowerHand { participant });
    let participant = world.participant("anna");
    assert!(!participant.hand_raised);
    assert_eq!(
        effects,
        [
            world.told(
                &["host", "anna"],
                7,
                Change::ParticipantUpdated { participant }
            ),
            world.acknowledged("host", done()),
        ]
    );
}

#[test]
fn a_moderator_who_is_made_none_is_none_at_once_and_after_coming_back() {
    let mut world = class_of_anna();
    world.join_as(tutor("tom"));
    permit(&mut world, "tom", EVERYTHING);
    assert!(!world.participant("tom").moderator);
    let effects = world.mute("tom", world.track("anna", "0"), true);
    assert_refused(&world, &effects, "tom", ErrorCode::NotPermitted);
    world.ask("tom", Request::Leave);
    world.join_as(tutor("tom"));
    let effects = world.ask("tom", Request::SetLocked { locked: true });
    assert_refused(&world, &effects, "tom", ErrorCode::NotPermitted);
    world.end_session("host");
    world.join_as(tutor("tom"));
    assert!(
        world.participant("tom").moderator,
        "until the session ended"
    );
}

#[test]
fn whoever_may_publish_no_more_publishes_no_more() {
    let mut world = class_of_anna();
    let (peer, track) = (world.peer("anna"), world.track("anna", "0"));
    let permissions = Permissions {
        publish: false,
        ..EVERYTHING
    };
    let effects = permit(&mut world, "anna", permissions);
    let participant_id = world.id("anna");
    let track_id = track;
    assert_eq!(
        effects,
        [
            world.media(MediaEffect::Unpublish { peer, track }),
            world.told(
                &["host", "anna"],
                6,
                Change::TrackUnpublished {
                    participant_id,
                    track_id
                }
            ),
            world.told(
                &["host", "anna"],
                7,
                Change::CeasedToBeLive { participant_id }
            ),
        ]
    );
    let effects = world.publish("anna", "1", TrackSource::Camera);
    assert_refused(&world, &effects, "anna", ErrorCode::NotPermitted);
    world.lose("anna");
    let resume = Some(world.resume("anna"));
    world.join_as(Joining {
        resume,
        ..student("anna")
    });
    assert!(world.media.peers.contains_key(&peer), "the media goes on");
    let effects = world.publish("anna", "1", TrackSource::Camera);
    assert_refused(&world, &effects, "anna", ErrorCode::NotPermitted);
}

#[test]
fn whoever_may_not_send_data_any_more_needs_a_new_peer_for_it() {
    let mut world = class_of_anna();
    let permissions = Permissions {
        publish_data: false,
        ..EVERYTHING
    };
    let effects = permit(&mut world, "anna", permissions);
    assert!(effects.iter().any(|effect| matches!(
        effect,
        Effect::Send {
            message: ServerMessage::MediaEnded {
                peer_connection: 1,
                ..
            },
            ..
        }
    )));
    let effects = world.offer("anna", 2);
    assert!(effects.iter().any(|effect| matches!(
        effect,
        Effect::Media {
            effect: MediaEffect::OpenPeer {
                publishes_data: false,
                ..
            },
            ..
        }
    )));
}

#[test]
fn somebody_is_given_another_name_until_the_session_ends() {
    let mut world = class_of_anna();
    let request = ApiRequest::UpdateParticipant {
        room: class(),
        participant: world.id("anna"),
        name: Some("Annabel".into()),
        permissions: None,
    };
    let reply = world.api_ok(&person("host"), request);
    let anna = world.participant("anna");
    assert_eq!(anna.name, "Annabel");
    assert_eq!(reply, ApiReply::Participant(Box::new(anna)));
    world.join("anna");
    assert_eq!(world.participant("anna").name, "Annabel");
}

#[test]
fn nobody_is_hidden_or_shown_by_others() {
    let mut world = class_of_anna();
    let request = ApiRequest::UpdateParticipant {
        room: class(),
        participant: world.id("anna"),
        name: None,
        permissions: Some(Permissions {
            hidden: true,
            ..EVERYTHING
        }),
    };
    let (result, _) = world.api(&backend(), request);
    let error = result.expect_err("a refusal");
    assert_eq!(error.code, ErrorCode::InvalidRequest);
}

#[test]
fn what_is_muted_over_http_is_muted_by_whoever_is_in_or_by_nobody() {
    let mut world = class_of_anna();
    let track = world.track("anna", "0");
    let room = class();
    world.api_ok(&backend(), ApiRequest::MuteTrack { room, track });
    let Some(Effect::Send {
        message: ServerMessage::Change(change),
        ..
    }) = world.transcript.iter().rev().nth(1)
    else {
        panic!("a change before the reply");
    };
    let Change::TrackMuted { by, .. } = &change.change else {
        panic!("muted, not {change:?}");
    };
    assert_eq!(by.to_string(), "PA_0000000000000");
    world.mute("anna", track, false);
    let room = class();
    let (_, effects) = world.api(&person("host"), ApiRequest::MuteTrack { room, track });
    let change = Change::TrackMuted {
        participant_id: world.id("anna"),
        track_id: track,
        muted: true,
        by: world.id("host"),
    };
    assert_eq!(effects[1], world.told(&["host", "anna"], 8, change));
}
