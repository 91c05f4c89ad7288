//! Coming back: after a loss, after a refresh, from another tab. The same person, once.

use protocol::{
    Change, ErrorCode, MediaType, NumberedChange, Participant, Resume, Resumed, ServerMessage,
    StateUpdate, TrackSource,
};
use signaling::{Effect, Limits, MediaEffect, MediaEvent, Permissions, Request};

use crate::expected::{assert_goodbye, assert_refused};
use crate::world::{EVERYTHING, Joining, START, World, student};

fn resuming(world: &World, tab: &str) -> Joining {
    Joining {
        resume: Some(world.resume(tab)),
        ..student(tab)
    }
}

fn refreshing(world: &World, tab: &str) -> Joining {
    Joining {
        resume: Some(world.refresh(tab)),
        ..student(tab)
    }
}

/// The `joined` at the end of these effects.
#[track_caller]
fn last_joined(effects: &[Effect]) -> &protocol::Joined {
    match effects.last() {
        Some(Effect::Acknowledge {
            message: ServerMessage::Joined(joined),
            ..
        }) => joined,
        _ => panic!("joined at the end, not {effects:#?}"),
    }
}

#[test]
fn a_lost_connection_makes_one_away_and_others_are_told() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    world.join("ben");
    let effects = world.lose("anna");
    let anna = world.participant("anna");
    assert!(
        anna.away && anna.tracks.len() == 1,
        "with what is published"
    );
    assert_eq!(
        effects,
        [world.told(
            &["ben"],
            5,
            Change::ParticipantUpdated { participant: anna }
        )]
    );
    assert_eq!(world.rooms.counts().away, 1);
}

#[test]
fn c6_whoever_resumes_is_told_exactly_what_was_missed_and_keeps_the_media() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    world.join("ben");
    let (id, peer) = (world.id("anna"), world.peer("anna"));
    let seen = world.participant("anna");
    world.lose("anna");
    world.pass(3_000);
    world.join("cleo");
    world.ask("ben", Request::Leave);
    let spent = world.resume("anna");
    let effects = world.join_as(resuming(&world, "anna"));
    let back = Change::ParticipantUpdated {
        participant: seen.clone(),
    };
    let missed = vec![
        Change::ParticipantUpdated {
            participant: Participant { away: true, ..seen },
        },
        Change::ParticipantJoined {
            participant: world.participant("cleo"),
        },
        Change::ParticipantLeft {
            participant_id: world.id("ben"),
        },
        back.clone(),
    ];
    let numbered = |(change, number)| NumberedChange { number, change };
    let resumed = Resumed {
        participant_id: id,
        changes: missed.into_iter().zip(5..).map(numbered).collect(),
        resume_token: world.clients["anna"].resume_token.clone(),
    };
    assert_eq!(
        effects,
        [
            world.told(&["cleo"], 8, back),
            world.to(&["anna"], ServerMessage::Resumed(resumed)),
            world.to(
                &["anna"],
                ServerMessage::Speakers {
                    participant_ids: vec![]
                }
            ),
        ]
    );
    assert_ne!(
        spent.token, world.clients["anna"].resume_token,
        "a token serves once"
    );
    assert!(world.media.peers.contains_key(&peer));
    assert_eq!(world.rooms.poll_timeout(), None);
    assert_eq!(world.pass(60_000), []);
}

#[test]
fn c6_a_refresh_brings_the_same_person_back_without_the_old_pages_media() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    world.join("ben");
    let (participant_id, peer, track_id) = (
        world.id("anna"),
        world.peer("anna"),
        world.track("anna", "0"),
    );
    world.lose("anna");
    let effects = world.join_as(refreshing(&world, "anna"));
    let anna = world.participant("anna");
    assert_eq!(
        effects[..4],
        [
            world.media(MediaEffect::ClosePeer { peer }),
            world.told(
                &["ben"],
                6,
                Change::TrackUnpublished {
                    participant_id,
                    track_id
                }
            ),
            world.told(&["ben"], 7, Change::CeasedToBeLive { participant_id }),
            world.told(
                &["ben"],
                8,
                Change::ParticipantUpdated {
                    participant: anna.clone()
                }
            ),
        ]
    );
    let joined = last_joined(&effects[..5]);
    assert_eq!(effects.len(), 5);
    assert!(joined.rejoined && joined.participant_id == participant_id && joined.last_change == 8);
    assert_eq!(
        joined.participants,
        [anna, world.participant("ben")],
        "no ghost, no double"
    );
    assert_eq!(
        world.offer("anna", 1).len(),
        2,
        "the new page counts from 1 again"
    );
}

#[test]
fn a_refresh_keeps_the_raised_hand_and_not_the_old_pages_camera() {
    let mut world = World::new();
    let all = StateUpdate {
        camera: Some(true),
        microphone: Some(true),
        hand_raised: Some(true),
    };
    world.join_as(Joining {
        state: all,
        ..student("anna")
    });
    world.lose("anna");
    world.join_as(resuming(&world, "anna"));
    let anna = world.participant("anna");
    assert!(
        anna.camera && anna.microphone && anna.hand_raised,
        "a resume keeps what it leaves out"
    );
    world.lose("anna");
    world.join_as(refreshing(&world, "anna"));
    let anna = world.participant("anna");
    assert!(!anna.camera && !anna.microphone && anna.hand_raised);
}

#[test]
fn c6_another_tab_takes_the_place_at_once_and_the_old_one_is_told_why() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    world.join("ben");
    let (participant_id, peer, track_id) = (
        world.id("anna"),
        world.peer("anna"),
        world.track("anna", "0"),
    );
    let effects = world.join_as(Joining {
        identity: "anna".into(),
        name: "Name of anna".into(),
        ..student("other tab")
    });
    assert_goodbye(
        &effects[..2],
        world.connection("anna"),
        ErrorCode::TakenOver,
        false,
    );
    assert_eq!(
        effects[2..5],
        [
            world.media(MediaEffect::ClosePeer { peer }),
            world.told(
                &["ben"],
                5,
                Change::TrackUnpublished {
                    participant_id,
                    track_id
                }
            ),
            world.told(&["ben"], 6, Change::CeasedToBeLive { participant_id }),
        ]
    );
    let joined = last_joined(&effects[5..]);
    assert_eq!(effects.len(), 6);
    assert!(joined.rejoined && joined.participant_id == participant_id);
    assert_eq!(joined.participants.len(), 2);
}

#[test]
fn a_taken_place_is_as_the_new_token_says() {
    let mut world = World::new();
    world.join("anna");
    world.join("ben");
    let permissions = Permissions {
        publish: false,
        moderate: true,
        ..EVERYTHING
    };
    let effects = world.join_as(Joining {
        identity: "anna".into(),
        role: "tutor".into(),
        permissions,
        ..student("other tab")
    });
    let anna = world.participant("other tab");
    assert!(anna.moderator && anna.role.0 == "tutor" && anna.name == "Name of other tab");
    assert_eq!(
        effects[2],
        world.told(
            &["ben"],
            3,
            Change::ParticipantUpdated { participant: anna }
        )
    );
    let effects = world.publish("other tab", "0", TrackSource::Camera);
    assert_refused(&world, &effects, "other tab", ErrorCode::NotPermitted);
}

#[test]
fn a_resume_before_the_server_has_noticed_the_loss_ends_the_old_connection() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    let old = world.connection("anna");
    let effects = world.join_as(resuming(&world, "anna"));
    assert_goodbye(&effects[..2], old, ErrorCode::TakenOver, false);
    let resumed = Resumed {
        participant_id: world.id("anna"),
        changes: vec![],
        resume_token: world.clients["anna"].resume_token.clone(),
    };
    assert_eq!(
        effects[2..],
        [
            world.to(&["anna"], ServerMessage::Resumed(resumed)),
            world.to(
                &["anna"],
                ServerMessage::Speakers {
                    participant_ids: vec![]
                }
            ),
        ]
    );
    assert_eq!(
        world.handle(signaling::Command::Disconnected { connection: old }),
        []
    );
}

#[test]
fn whoever_missed_more_than_is_kept_gets_the_whole_room_and_keeps_the_media() {
    let mut world = World::with(Limits {
        logged_changes: 2,
        ..Limits::default()
    });
    world.join_live("anna", TrackSource::Camera);
    world.join("ben");
    let peer = world.peer("anna");
    world.lose("anna");
    world.join("cleo");
    let effects = world.join_as(resuming(&world, "anna"));
    let joined = last_joined(&effects);
    assert!(joined.rejoined && joined.participants.len() == 3);
    assert_eq!(joined.participants[0].tracks.len(), 1);
    assert!(world.media.peers.contains_key(&peer));
}

#[test]
fn a_wrong_or_spent_token_takes_the_place_like_any_other_tab() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    let spent = world.resume("anna");
    world.lose("anna");
    world.join_as(resuming(&world, "anna"));
    let (id, peer) = (world.id("anna"), world.peer("anna"));
    world.lose("anna");
    let effects = world.join_as(Joining {
        resume: Some(spent),
        ..student("anna")
    });
    assert!(
        !world.media.peers.contains_key(&peer),
        "the media is not handed over"
    );
    let [
        ..,
        Effect::Acknowledge {
            message: ServerMessage::Joined(joined),
            ..
        },
        ended,
    ] = &effects[..]
    else {
        panic!("joined and the end of media, not {effects:#?}");
    };
    assert!(joined.rejoined && joined.participant_id == id);
    let Effect::Send {
        message: ServerMessage::MediaEnded {
            peer_connection: 1, ..
        },
        ..
    } = ended
    else {
        panic!("who thinks the media goes on is told, not {ended:?}");
    };
}

#[test]
fn a_resume_of_somebody_who_is_gone_is_a_plain_join() {
    let mut world = World::new();
    world.join("anna");
    world.join("ben");
    let id = world.id("anna");
    world.lose("anna");
    world.pass(15_000);
    let effects = world.join_as(resuming(&world, "anna"));
    let joined = last_joined(&effects);
    assert!(!joined.rejoined && joined.participant_id != id);
}

#[test]
fn a_resume_token_is_of_no_use_to_another_identity() {
    let mut world = World::new();
    world.join("anna");
    let stolen = world.resume("anna");
    let effects = world.join_as(Joining {
        resume: Some(stolen),
        ..student("eve")
    });
    let joined = last_joined(&effects);
    assert!(!joined.rejoined && joined.participant_id != world.id("anna"));
    assert_eq!(world.rooms.counts().participants, 2);
}

#[test]
fn other_permissions_end_the_media_also_of_who_resumes() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    let peer = world.peer("anna");
    world.lose("anna");
    let permissions = Permissions {
        publish: false,
        ..EVERYTHING
    };
    let effects = world.join_as(Joining {
        permissions,
        ..resuming(&world, "anna")
    });
    assert_eq!(effects[0], world.media(MediaEffect::ClosePeer { peer }));
    let Some(Effect::Send {
        message: ServerMessage::MediaEnded {
            peer_connection: 1, ..
        },
        ..
    }) = effects.last()
    else {
        panic!("the end of media, not {effects:#?}");
    };
    assert!(world.participant("anna").tracks.is_empty());
}

#[test]
fn a_new_name_reaches_the_list_of_who_is_live() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    world.join("ben");
    world.lose("anna");
    let effects = world.join_as(Joining {
        name: "Annabel".into(),
        ..resuming(&world, "anna")
    });
    let live = world.live("anna", START, MediaType::Video);
    assert_eq!(live.name, "Annabel");
    assert_eq!(
        effects[1],
        world.told(&["ben"], 7, Change::LiveUpdated { live })
    );
}

#[test]
fn what_media_asked_of_somebody_away_is_said_when_they_are_back() {
    let mut world = World::new();
    world.join_and_offer("anna");
    let peer = world.peer("anna");
    world.lose("anna");
    assert_eq!(
        world.report(MediaEvent::SectionsRequired {
            peer,
            audio: 2,
            video: 1
        }),
        []
    );
    let effects = world.join_as(resuming(&world, "anna"));
    let message = ServerMessage::MediaSectionsRequired { audio: 2, video: 1 };
    assert_eq!(effects.last(), Some(&world.to(&["anna"], message)));

    // The offer is the reply: then nothing is open.
    world.offer("anna", 1);
    world.lose("anna");
    assert_eq!(
        world.join_as(resuming(&world, "anna")).len(),
        2,
        "resumed, and who speaks"
    );

    world.lose("anna");
    let reason = "no packet for 30 s".to_string();
    assert_eq!(
        world.report(MediaEvent::PeerEnded {
            peer,
            reason: reason.clone()
        }),
        []
    );
    let effects = world.join_as(resuming(&world, "anna"));
    let message = ServerMessage::MediaEnded {
        peer_connection: 1,
        reason,
    };
    assert_eq!(effects.last(), Some(&world.to(&["anna"], message)));
}

#[test]
fn an_offer_made_before_the_loss_is_refused_without_the_old_connections_number() {
    let mut world = World::new();
    world.join_and_offer("anna");
    let peer = world.peer("anna");
    world.lose("anna");
    world.join_as(resuming(&world, "anna"));
    let effects = world.report(MediaEvent::OfferRefused {
        peer,
        reason: "no BUNDLE".into(),
    });
    crate::expected::assert_error(&world, &effects, "anna", ErrorCode::InvalidOffer, None);
}

#[test]
fn tracks_published_while_somebody_is_away_reach_their_peer() {
    let mut world = World::new();
    world.join_and_offer("anna");
    world.lose("anna");
    world.join_live("ben", TrackSource::Camera);
    let received = &world.media.peers[&world.peer("anna")].subscriptions;
    assert!(received.contains(&world.track("ben", "0")));
}

#[test]
fn a_made_up_last_change_brings_the_whole_room() {
    let mut world = World::new();
    world.join("anna");
    let resume = Resume {
        last_change: Some(u64::MAX),
        ..world.resume("anna")
    };
    let effects = world.join_as(Joining {
        resume: Some(resume),
        ..student("anna")
    });
    assert!(last_joined(&effects).rejoined);
}

#[test]
fn who_chooses_for_themselves_from_now_on_keeps_the_media_and_loses_what_was_not_chosen() {
    let mut world = World::new();
    world.join_live("anna", TrackSource::Camera);
    world.join_and_offer("ben");
    let (peer, track) = (world.peer("ben"), world.track("anna", "0"));
    world.lose("ben");
    let joining = Joining {
        subscribe_automatically: false,
        ..resuming(&world, "ben")
    };
    let effects = world.join_as(joining);
    assert!(effects.contains(&world.media(MediaEffect::Unsubscribe { peer, track })));
    assert!(world.media.peers[&peer].subscriptions.is_empty());
}
