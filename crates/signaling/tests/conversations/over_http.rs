//! What is asked over HTTP: rooms that stay, once for each name and owner; and who may ask for what.

use protocol::record::Write;
use protocol::{
    EndReason, ErrorCode, Identity, ParticipantId, RoomId, RoomName, RoomSettings, SessionId,
    Timestamp, TrackId,
};
use signaling::{ApiReply, ApiRequest, Caller, Limits, Request, RoomDetails, RoomRef};

use crate::expected::assert_goodbye;
use crate::world::{ROOM, World, backend, class, live_room, person, session};

fn create(world: &mut World, name: &str, owner: Option<&str>) -> ApiRequest {
    ApiRequest::CreateRoom {
        name: RoomName(name.into()),
        owner: owner.map(|owner| Identity(owner.into())),
        settings: RoomSettings::default(),
        fresh_room: RoomId::from_bits(world.draw()),
    }
}

fn my_room(world: &mut World, identity: &str) -> RoomDetails {
    let fresh_room = RoomId::from_bits(world.draw());
    details(world.api_ok(&person(identity), ApiRequest::MyRoom { fresh_room }))
}

#[track_caller]
fn details(reply: ApiReply) -> RoomDetails {
    match reply {
        ApiReply::Room(details) => *details,
        other => panic!("a room, not {other:?}"),
    }
}

#[track_caller]
fn refused(world: &mut World, caller: &Caller, request: ApiRequest, code: ErrorCode) {
    let (result, effects) = world.api(caller, request);
    assert_eq!(result.expect_err("a refusal").code, code);
    assert_eq!((effects, &world.written[..]), (vec![], &[][..]));
}

#[test]
fn e5_everybody_has_one_room_of_their_own_however_often_they_ask() {
    let mut world = World::new();
    let room = my_room(&mut world, "anna");
    assert_eq!(world.written, [Write::RoomCreated(room.record.clone())]);
    assert_eq!(room.record.name, RoomName("anna".into()));
    assert_eq!(room.record.owner, Some(Identity("anna".into())));
    assert!(room.record.is_kept);
    for _ in 0..3 {
        assert_eq!(my_room(&mut world, "anna"), room);
        assert_eq!(world.written, []);
    }
    world.restart();
    assert_eq!(my_room(&mut world, "anna").record, room.record);
    let again = create(&mut world, "another", Some("anna"));
    refused(&mut world, &backend(), again, ErrorCode::RoomExists);
}

#[test]
fn a_room_of_ones_own_has_a_number_where_its_name_is_taken() {
    let mut world = World::new();
    world.own_room("somebody", "anna");
    world.own_room("else", "anna-2");
    assert_eq!(my_room(&mut world, "anna").record.name.0, "anna-3");
}

#[test]
fn the_same_name_and_owner_again_is_the_room_that_is_there() {
    let mut world = World::new();
    let request = create(&mut world, "hall", None);
    let hall = details(world.api_ok(&backend(), request));
    let request = create(&mut world, "hall", None);
    assert_eq!(details(world.api_ok(&backend(), request)), hall);
    let request = create(&mut world, "hall", Some("anna"));
    refused(&mut world, &backend(), request, ErrorCode::RoomExists);
}

#[test]
fn a_room_that_a_join_made_can_be_made_to_stay() {
    let mut world = World::new();
    world.join("anna");
    let room = world.room_id();
    let request = create(&mut world, ROOM, None);
    let kept = details(world.api_ok(&backend(), request));
    assert_eq!((kept.record.id, kept.record.is_kept), (room, true));
    assert_eq!(world.written, [Write::RoomChanged(kept.record)]);
    world.ask("anna", Request::Leave);
    world.join("anna");
    assert_eq!(world.room_id(), room);
}

#[test]
fn a_room_that_is_deleted_while_it_is_live_is_over_for_everybody() {
    let (mut world, room) = live_room();
    world.join("anna");
    crate::waiting::set_lobby(&mut world, true);
    world.join("ben");
    let (result, effects) = world.api(&person("host"), ApiRequest::DeleteRoom(class()));
    assert_eq!(result, Ok(ApiReply::Done));
    for (place, tab) in ["host", "anna", "ben"].into_iter().enumerate() {
        let code = ErrorCode::SessionEnded;
        let range = place * 2..place * 2 + 2;
        assert_goodbye(&effects[range], world.connection(tab), code, false);
    }
    assert_eq!(effects[6..], [signaling::Effect::RoomClosed { room }]);
    assert_eq!(session(&world).end_reason, Some(EndReason::RoomDeleted));
    assert!(world.rooms.is_empty() && world.rooms.counts() == Default::default());
    refused(
        &mut world,
        &person("host"),
        ApiRequest::GetRoom(RoomRef::Id(room)),
        ErrorCode::RoomNotFound,
    );
    world.own_room("host", ROOM);
    assert_ne!(world.room_id(), room, "the name is free");
}

#[test]
fn what_cannot_be_is_refused() {
    let mut world = World::new();
    for (name, code) in [
        (String::new(), ErrorCode::InvalidRequest),
        ("x".repeat(257), ErrorCode::TextTooLong),
        ("a\0b".into(), ErrorCode::TextInvalid),
        ("a\nb".into(), ErrorCode::TextInvalid),
    ] {
        let request = create(&mut world, &name, None);
        refused(&mut world, &backend(), request, code);
    }
    world.own_room("host", ROOM);
    for (settings, code) in [
        (
            RoomSettings {
                max_participants: Some(0),
                ..RoomSettings::default()
            },
            ErrorCode::InvalidRequest,
        ),
        (
            RoomSettings {
                title: "x".repeat(257),
                ..RoomSettings::default()
            },
            ErrorCode::TextTooLong,
        ),
        (
            RoomSettings {
                title: "\0".into(),
                ..RoomSettings::default()
            },
            ErrorCode::TextInvalid,
        ),
    ] {
        let room = class();
        let request = ApiRequest::UpdateRoom { room, settings };
        refused(&mut world, &person("host"), request, code);
    }
    let now = world.now;
    for at in [now.0 - 3_600_000, u64::MAX] {
        let start = world.start("key");
        let request = ApiRequest::ScheduleSession {
            room: class(),
            start,
            title: String::new(),
            scheduled_for: Timestamp(at),
        };
        refused(
            &mut world,
            &person("host"),
            request,
            ErrorCode::InvalidRequest,
        );
    }
}

#[test]
fn so_many_rooms_stay_and_so_many_sessions_are_planned_and_so_many_are_banned() {
    let mut world = World::with(Limits {
        kept_rooms: 1,
        scheduled_per_room: 1,
        bans_per_room: 1,
        ..Limits::default()
    });
    world.own_room("host", ROOM);
    let request = create(&mut world, "another", None);
    refused(&mut world, &backend(), request, ErrorCode::ServerFull);
    let plan = |world: &mut World, key: &str| ApiRequest::ScheduleSession {
        room: class(),
        start: world.start(key),
        title: String::new(),
        scheduled_for: Timestamp(world.now.0 + 1_000),
    };
    let first = plan(&mut world, "one");
    world.api_ok(&person("host"), first);
    let second = plan(&mut world, "two");
    refused(&mut world, &person("host"), second, ErrorCode::ServerFull);
    let ban = |who: &str| ApiRequest::Ban {
        room: class(),
        identity: Identity(who.into()),
    };
    world.api_ok(&person("host"), ban("anna"));
    refused(
        &mut world,
        &person("host"),
        ban("ben"),
        ErrorCode::ServerFull,
    );
    world.api_ok(&person("host"), ban("anna"));
}

#[test]
fn those_in_the_room_are_listed_without_the_hidden_ones() {
    let (mut world, _) = live_room();
    world.join("anna");
    world.join_as(crate::world::Joining {
        permissions: signaling::Permissions {
            hidden: true,
            ..crate::world::EVERYTHING
        },
        ..crate::world::student("ghost")
    });
    let reply = world.api_ok(&person("host"), ApiRequest::Participants(class()));
    let expected = vec![world.participant("host"), world.participant("anna")];
    assert_eq!(reply, ApiReply::Participants(expected));
    let room = details(world.api_ok(&person("host"), ApiRequest::GetRoom(class())));
    assert_eq!((room.participants, room.info), (2, world.info()));
}

/// Every request about a room, with what it needs to be carried out.
fn requests(world: &mut World) -> Vec<(&'static str, ApiRequest)> {
    let session = SessionId::from_bits(1);
    let participant = ParticipantId::from_bits(1);
    let identity = Identity("eve".into());
    let settings = RoomSettings::default();
    let (track, title) = (TrackId::from_bits(1), String::new());
    let scheduled_for = Timestamp(world.now.0 + 1_000);
    vec![
        ("see", ApiRequest::GetRoom(class())),
        ("see", ApiRequest::Participants(class())),
        ("own", ApiRequest::DeleteRoom(class())),
        ("lead", ApiRequest::OpenLobby(class(), world.start("a"))),
        ("lead", ApiRequest::GoLive(class(), world.start("b"))),
        (
            "lead",
            ApiRequest::EndSession {
                room: class(),
                session: Some(session),
            },
        ),
        (
            "lead",
            ApiRequest::ScheduleSession {
                room: class(),
                start: world.start("c"),
                title,
                scheduled_for,
            },
        ),
        (
            "lead",
            ApiRequest::CancelSession {
                room: class(),
                session,
            },
        ),
        (
            "lead",
            ApiRequest::UpdateRoom {
                room: class(),
                settings,
            },
        ),
        (
            "lead",
            ApiRequest::UpdateParticipant {
                room: class(),
                participant,
                name: None,
                permissions: None,
            },
        ),
        (
            "lead",
            ApiRequest::MuteTrack {
                room: class(),
                track,
            },
        ),
        (
            "lead",
            ApiRequest::Forwarding {
                room: class(),
                participant,
            },
        ),
        (
            "lead",
            ApiRequest::RemoveParticipant {
                room: class(),
                participant,
            },
        ),
        (
            "lead",
            ApiRequest::Ban {
                room: class(),
                identity: identity.clone(),
            },
        ),
        (
            "lead",
            ApiRequest::Unban {
                room: class(),
                identity,
            },
        ),
    ]
}

#[test]
fn d2_who_may_ask_for_what_is_decided_at_each_request() {
    let admin = |room: &str| Caller {
        admin_of: Some(RoomName(room.into())),
        ..person("admin")
    };
    let lister = Caller {
        may_list: true,
        ..person("lister")
    };
    let callers = [
        (person("stranger"), vec![]),
        (person("guest"), vec![]),
        (admin("another room"), vec![]),
        (lister, vec!["see"]),
        (person("heir"), vec!["see", "lead"]),
        (admin(ROOM), vec!["see", "lead"]),
        (person("host"), vec!["see", "lead", "own"]),
        (backend(), vec!["see", "lead", "own"]),
    ];
    for (caller, granted) in callers {
        let (mut fresh, _) = live_room();
        for (number, (kind, _)) in requests(&mut fresh).into_iter().enumerate() {
            let (mut world, _) = live_room();
            world.join("guest");
            world.join("heir");
            let participant = world.id("heir");
            world.ask("host", Request::HandOver { participant });
            let (_, request) = requests(&mut world).swap_remove(number);
            let (result, effects) = world.api(&caller, request.clone());
            let is_refused = matches!(&result, Err(error) if error.code == ErrorCode::NotPermitted);
            assert_eq!(
                is_refused,
                !granted.contains(&kind),
                "{caller:?} asks for {request:?} and gets {result:?}"
            );
            assert!(!is_refused || (effects.is_empty() && world.written.is_empty()));
        }
    }
    let mut world = World::new();
    let request = create(&mut world, "hall", None);
    refused(
        &mut world,
        &person("anna"),
        request,
        ErrorCode::NotPermitted,
    );
}

#[test]
fn whose_media_is_asked_about_is_told_with_their_peer_if_they_have_one() {
    let mut world = World::new();
    world.join("anna");
    let participant = world.id("anna");
    let ask = |world: &mut World| {
        let room = class();
        world.api_ok(&backend(), ApiRequest::Forwarding { room, participant })
    };
    assert_eq!(ask(&mut world), ApiReply::Receiver(None));
    world.offer("anna", 1);
    let peer = world.peer("anna");
    assert_eq!(ask(&mut world), ApiReply::Receiver(Some(peer)));
}
