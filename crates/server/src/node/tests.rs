//! The loop with real rooms and a real database, and a fault that is made up.

use std::path::PathBuf;

use protocol::{Identity, ParticipantId, Role, RoomName, SessionId, StateUpdate};
use signaling::{Claims, Fresh, Join, LogHead, Permissions, Recorded};
use store::{Location, Settings, Store};

use super::*;

/// A node with a database of its own, in a directory for one test.
async fn node(test: &str) -> (Node, PathBuf) {
    let data_dir = std::env::temp_dir().join(format!("plenum-{}-{test}", std::process::id()));
    let _ = std::fs::remove_dir_all(&data_dir);
    let config = Config {
        data_dir: data_dir.clone(),
        ..Config::default()
    };
    let location = Location::of(&data_dir, None).unwrap();
    let store = Arc::new(Store::open(location, Settings::default()).await.unwrap());
    let clock = Clock::start();
    store.recover(clock.now()).await.unwrap();
    let writer = Writer::start(store, move || clock.now());
    let rooms = Rooms::new(config.limits.signaling());
    let (worker, _) = mpsc::channel(1);
    let metrics = Arc::new(Metrics::new().unwrap());
    let worker = WorkerHandle::idle(worker);
    let node = Node::new(&config, clock, rooms, writer, vec![worker], metrics);
    (node, data_dir)
}

impl Node {
    async fn join(&mut self, room: &str, number: u64) -> Arc<Outbox> {
        let outbox = Arc::new(Outbox::new(100, 100_000));
        let claims = Claims {
            identity: Identity(format!("person {number}")),
            name: "A name".into(),
            role: Role(String::new()),
            avatar_url: None,
            room: RoomName(room.into()),
            permissions: Permissions {
                publish: true,
                subscribe: true,
                publish_data: true,
                moderate: false,
                hidden: false,
            },
        };
        let join = Join {
            connection: ConnectionId::from_bits(number),
            request_id: None,
            claims,
            resume: None,
            state: StateUpdate::default(),
            subscribe_automatically: true,
            fresh: Fresh {
                room: RoomId::from_bits(number),
                participant: ParticipantId::from_bits(number),
                session: SessionId::from_bits(number),
                resume_token: "a secret".into(),
            },
        };
        let (join, to) = (Box::new(join), outbox.clone());
        self.handle_command(NodeCommand::Join { outbox: to, join })
            .await;
        outbox
    }

    async fn settle_all(&mut self) {
        while self.commits.len() > 0 {
            let settled = self.commits.next().await;
            self.handle_settled(settled).await;
        }
    }
}

#[tokio::test]
async fn nobody_is_told_that_they_are_in_before_it_is_written_down() {
    let (mut node, data_dir) = node("promise").await;
    let ann = node.join("blue", 1).await;
    assert_eq!(ann.next_now(), None);
    node.settle_all().await;
    assert!(ann.next_now().is_some() && ann.joined_at().is_some());
    std::fs::remove_dir_all(data_dir).unwrap();
}

#[tokio::test]
async fn a_faulty_room_ends_alone_and_what_led_to_it_is_written_down_without_secrets() {
    let (mut node, data_dir) = node("fault").await;
    let ann = node.join("blue", 1).await;
    let ben = node.join("red", 2).await;
    let room = node.rooms.room(&RoomName("blue".into())).unwrap().id;
    node.close_faulty(room, "two and two is five").await;
    node.settle_all().await;
    assert!(ann.is_closing() && !ben.is_closing());
    assert_eq!(ann.goodbye(), Some("internal"));
    assert_eq!(node.metrics.faults.get(), 1);
    assert_eq!(node.rooms.counts().rooms, 1);
    node.join("blue", 3).await;
    assert_eq!(node.rooms.counts().rooms, 2, "it can be made anew at once");
    node.settle_all().await;
    assert_eq!(node.metrics.store_refused.get(), 0);

    let logs: Vec<_> = std::fs::read_dir(data_dir.join("faults"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    assert_eq!(logs.len(), 1, "{logs:?}");
    let log = std::fs::read_to_string(&logs[0]).unwrap();
    let mut lines = log.lines();
    let head: LogHead = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert!(head.is_whole, "the room was made by what is in it");
    let commands: Vec<Recorded> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(matches!(
        &commands[..],
        [Recorded {
            command: Some(Command::Join(_)),
            ..
        }]
    ));
    assert!(!log.contains("a secret"), "{log}");
    std::fs::remove_dir_all(data_dir).unwrap();
}

#[tokio::test]
async fn when_too_much_waits_nothing_begins_and_what_ends_is_taken() {
    let (mut node, data_dir) = node("full").await;
    let ann = node.join("blue", 1).await;
    node.settle_all().await;
    while ann.next_now().is_some() {}
    node.most_commits = 0;
    let ben = node.join("blue", 2).await;
    let refusal = format!("{:?}", ben.next_now());
    assert!(refusal.contains("unavailable"), "{refusal}");
    let (answer, answered) = oneshot::channel();
    let caller = Caller {
        identity: Identity("somebody".into()),
        may_create: true,
        may_list: true,
        admin_of: None,
    };
    let request = Box::new(ApiRequest::MyRoom {
        fresh_room: RoomId::from_bits(9),
    });
    node.handle_command(NodeCommand::Api {
        caller,
        request,
        answer,
    })
    .await;
    let refusal = answered.await.unwrap().unwrap_err();
    assert_eq!(refusal.code, ErrorCode::Unavailable);
    let leave = NodeCommand::Request {
        connection: ConnectionId::from_bits(1),
        request_id: None,
        request: Request::Leave,
    };
    node.handle_command(leave).await;
    node.settle_all().await;
    assert_eq!(ann.goodbye(), Some("left"));
    std::fs::remove_dir_all(data_dir).unwrap();
}
