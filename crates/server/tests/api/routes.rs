//! Every route by every role and with every defective token: who is let through, and who is refused with
//! which status. A route without a row does not build.

use serde_json::{Value, json};

use crate::call::{Call, Route};
use crate::client::Client;
use crate::process::Server;
use crate::tokens::{BANNED, DEMOTED, Defect, OWNER, ROOM, Role};

/// Without what other tests are for.
pub(crate) const NO_RATES: &str =
    "[limits]\nrequests_per_address_per_second = 100000\njoins_per_address_per_second = 10000\n";

/// Who may ask for a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    /// Nothing; no token is looked at.
    Nothing,
    /// Nothing; but a token that is brought must be good.
    NothingOrAToken,
    /// A good token.
    AToken,
    /// To moderate the room, or to list rooms.
    ToSee,
    /// To moderate the room.
    ToModerate,
    /// To own the room, or to make rooms.
    ToOwn,
    /// To make rooms.
    ToMake,
}

impl Needs {
    fn is_met_by(self, role: Role) -> bool {
        match self {
            Needs::Nothing | Needs::NothingOrAToken => true,
            Needs::AToken => role != Role::Nobody,
            Needs::ToSee => Self::ToModerate.is_met_by(role) || role == Role::Lister,
            Needs::ToModerate => matches!(role, Role::Owner | Role::Moderator | Role::Backend),
            Needs::ToOwn => matches!(role, Role::Owner | Role::Backend),
            Needs::ToMake => role == Role::Backend,
        }
    }
}

const SESSION: &str = "SE_0000000000001";
const SOMEBODY: &str = "PA_0000000000001";
const TRACK: &str = "TR_0000000000001";

/// What a route needs, and a request that harms nothing: where somebody or something must be named, it is one
/// that is not there, so that whoever is let through finds nothing.
fn row(route: Route) -> (Needs, Vec<&'static str>, Option<Value>) {
    let settings = json!({ "settings": { "title": "", "lobby": false, "locked": false } });
    let plan = json!({ "key": "later", "scheduled_for": jsonwebtoken::get_current_timestamp() * 1000 + 86_400_000 });
    match route {
        Route::ListRooms | Route::Live => (Needs::NothingOrAToken, vec![], None),
        Route::Config | Route::OpenApi | Route::Page => (Needs::Nothing, vec![], None),
        // There is none with keys configured, whoever asks.
        Route::DevelopmentToken => (
            Needs::Nothing,
            vec![],
            Some(json!({ "room": "a", "name": "b" })),
        ),
        Route::MyRoom | Route::EnsureMyRoom => (Needs::AToken, vec![], None),
        Route::CreateRoom => (Needs::ToMake, vec![], Some(json!({ "name": "made" }))),
        Route::GetRoom | Route::ListParticipants => (Needs::ToSee, vec![ROOM], None),
        Route::UpdateRoom => (Needs::ToModerate, vec![ROOM], Some(settings)),
        Route::DeleteRoom => (Needs::ToOwn, vec![ROOM], None),
        Route::OpenLobby | Route::GoLive => {
            (Needs::ToModerate, vec![ROOM], Some(json!({ "key": "now" })))
        }
        Route::EndSession => (
            Needs::ToModerate,
            vec![ROOM],
            Some(json!({ "session_id": SESSION })),
        ),
        Route::ListSessions | Route::ListBans => (Needs::ToModerate, vec![ROOM], None),
        Route::ScheduleSession => (Needs::ToModerate, vec![ROOM], Some(plan)),
        Route::GetSession | Route::CancelSession | Route::Attendance | Route::AttendanceCsv => {
            (Needs::ToModerate, vec![ROOM, SESSION], None)
        }
        Route::UpdateParticipant => (
            Needs::ToModerate,
            vec![ROOM, SOMEBODY],
            Some(json!({ "name": "X" })),
        ),
        Route::RemoveParticipant | Route::Forwarding => {
            (Needs::ToModerate, vec![ROOM, SOMEBODY], None)
        }
        Route::MuteTrack => (Needs::ToModerate, vec![ROOM, TRACK], None),
        Route::Ban | Route::Unban => (Needs::ToModerate, vec![ROOM, "troll"], None),
    }
}

fn call(server: &Server, route: Route, token: Option<String>) -> Call {
    let (_, parts, body) = row(route);
    let call = server.call(route, &parts);
    let call = match body {
        Some(body) => call.body(body),
        None => call,
    };
    match token {
        Some(token) => call.token(token),
        None => call,
    }
}

/// Made, or there already.
fn make_room(server: &Server) {
    let made = json!({ "name": ROOM, "owner": OWNER });
    let call = server
        .call(Route::CreateRoom, &[])
        .token(Role::Backend.token().unwrap());
    call.body(made).send().ok();
}

/// A live room with an owner, somebody banned, and somebody in it whose permission to moderate was taken.
pub(crate) async fn prepared(server: &Server) -> Client {
    let backend = Role::Backend.token().unwrap();
    make_room(server);
    server
        .call(Route::GoLive, &[ROOM])
        .token(&backend)
        .body(json!({ "key": "first" }))
        .send()
        .ok();
    server
        .call(Route::Ban, &[ROOM, BANNED])
        .token(&backend)
        .send()
        .ok();
    let mut demoted = server.connect().await;
    let join = json!({ "type": "join", "token": Defect::Demoted.token() });
    demoted.send(join).await;
    let joined = demoted.receive_type("joined").await;
    let id = joined["participant_id"].as_str().unwrap();
    let permissions = json!({
        "publish": true, "subscribe": true, "publish_data": true, "moderate": false, "hidden": false,
    });
    let update = server
        .call(Route::UpdateParticipant, &[ROOM, id])
        .token(&backend);
    let changed = update
        .body(json!({ "permissions": permissions }))
        .send()
        .ok();
    assert_eq!(
        (&changed["moderator"], &changed["identity"]),
        (&json!(false), &json!(DEMOTED))
    );
    demoted
}

#[tokio::test]
async fn every_route_lets_through_whom_it_may_and_refuses_everybody_else() {
    let server = Server::start("api_routes", NO_RATES);
    let _demoted = prepared(&server).await;
    // What deletes the room comes last.
    let order = |route: &&Route| **route == Route::DeleteRoom;
    let (last, first): (Vec<&Route>, Vec<&Route>) = Route::ALL.iter().partition(order);
    let mut cells = 0;
    for &route in first.into_iter().chain(last) {
        let (needs, ..) = row(route);
        for defect in Defect::ALL {
            let response = call(&server, route, defect.token()).send();
            let is_fine = match needs {
                Needs::Nothing => true,
                Needs::NothingOrAToken => defect == Defect::None || defect.is_good_elsewhere(),
                Needs::AToken => defect.is_good_elsewhere(),
                _ => false,
            };
            let expected = if defect.is_good_elsewhere() { 403 } else { 401 };
            match is_fine {
                true => assert!(
                    is_let_through(response.status),
                    "{route:?} {defect:?} {response:?}"
                ),
                false => assert_eq!(
                    response.status, expected,
                    "{route:?} {defect:?} {response:?}"
                ),
            }
            let says_why = response.head.contains("www-authenticate: bearer");
            assert_eq!(
                says_why,
                response.status == 401,
                "{route:?} {defect:?} {response:?}"
            );
            cells += 1;
        }
        for role in Role::ALL {
            if route == Route::DeleteRoom {
                make_room(&server);
            }
            let response = call(&server, route, role.token()).send();
            let expected = if role == Role::Nobody { 401 } else { 403 };
            match needs.is_met_by(role) {
                true => assert!(
                    is_let_through(response.status),
                    "{route:?} {role:?} {response:?}"
                ),
                false => assert_eq!(response.status, expected, "{route:?} {role:?} {response:?}"),
            }
            cells += 1;
        }
    }
    assert_eq!(
        cells,
        Route::ALL.len() * (Role::ALL.len() + Defect::ALL.len())
    );
}

/// It was done, or it was looked for.
fn is_let_through(status: u16) -> bool {
    matches!(status, 200 | 201 | 204 | 404)
}
