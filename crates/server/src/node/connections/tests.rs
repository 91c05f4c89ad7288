//! What is held back, for whom, and what becomes of it.

use super::*;
use crate::outbox::Outgoing;

const ANN: ConnectionId = ConnectionId::from_bits(1);
const BEN: ConnectionId = ConnectionId::from_bits(2);

/// Connections of Ann and Ben, and their outboxes.
fn two(most: usize) -> (Connections, Arc<Outbox>, Arc<Outbox>) {
    let mut connections = Connections::new(most, 10_000);
    let outboxes = [ANN, BEN].map(|connection| {
        let outbox = Arc::new(Outbox::new(100, 10_000));
        connections.open(connection, outbox.clone());
        outbox
    });
    let [ann, ben] = outboxes;
    (connections, ann, ben)
}

fn with(number: u64) -> Transaction {
    Transaction::numbered(number)
}

fn own(number: u64) -> Promised {
    Promised {
        with: with(number),
        is_own: true,
    }
}

/// A message that can be told from others.
fn pong(number: u32) -> Prepared {
    Prepared::new(&ServerMessage::Pong {
        request_id: Some(number),
    })
}

fn done(number: u32) -> Prepared {
    Prepared::new(&ServerMessage::Done {
        request_id: Some(number),
        session: None,
    })
}

fn goodbye(code: ErrorCode) -> Prepared {
    Prepared::new(&ServerMessage::Goodbye(Goodbye {
        code,
        message: String::new(),
        reconnect: false,
    }))
}

fn resumed() -> Prepared {
    Prepared::new(&ServerMessage::Resumed(protocol::Resumed {
        participant_id: protocol::ParticipantId::from_bits(1),
        changes: Vec::new(),
        resume_token: String::new(),
    }))
}

/// What goes out now, in words.
fn out(outbox: &Outbox) -> Vec<String> {
    // A closed outbox repeats its end for ever.
    let mut is_closed = false;
    let outgoing = std::iter::from_fn(|| {
        let next = outbox.next_now().filter(|_| !is_closed)?;
        is_closed = matches!(next, Outgoing::Close(..));
        Some(next)
    });
    outgoing
        .map(|outgoing| match outgoing {
            Outgoing::Text(text) => {
                let message: serde_json::Value = serde_json::from_str(&text).unwrap();
                let word = |name: &str| message[name].as_str().map(str::to_owned);
                let number = message["request_id"].as_u64();
                [
                    word("type"),
                    word("code"),
                    number.map(|number| number.to_string()),
                ]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" ")
            }
            Outgoing::Close(_, reason) => format!("close {reason}"),
        })
        .collect()
}

#[test]
fn what_follows_a_promise_waits_behind_it_and_nobody_else_waits() {
    let (mut connections, ann, ben) = two(9);
    connections.promise(ANN, own(1), done(1)).unwrap();
    for connection in [ANN, BEN] {
        connections.send(connection, pong(2)).unwrap();
    }
    assert_eq!((out(&ann), out(&ben)), (vec![], vec!["pong 2".into()]));
    assert_eq!(connections.settle(with(1), false), []);
    assert_eq!(out(&ann), ["done 1", "pong 2"]);
    connections.send(ANN, pong(3)).unwrap();
    assert_eq!(out(&ann), ["pong 3"], "nothing is held any more");
}

#[test]
fn each_promise_waits_for_its_own_transaction_and_a_later_one_brings_the_earlier() {
    let (mut connections, ann, ben) = two(9);
    connections.promise(ANN, own(1), done(1)).unwrap();
    connections.send(ANN, pong(2)).unwrap();
    connections.promise(ANN, own(3), done(3)).unwrap();
    connections.promise(BEN, own(2), done(2)).unwrap();
    connections.settle(with(1), false);
    assert_eq!(
        (out(&ann), out(&ben)),
        (vec!["done 1".into(), "pong 2".into()], vec![])
    );
    connections.settle(with(2), false);
    assert_eq!((out(&ann), out(&ben)), (vec![], vec!["done 2".into()]));
    connections.settle(with(3), false);
    assert_eq!(out(&ann), ["done 3"]);
}

#[test]
fn a_connection_is_closed_behind_the_goodbye_that_waits_and_takes_nothing_more() {
    let (mut connections, ann, _) = two(9);
    connections
        .promise(ANN, own(1), goodbye(ErrorCode::Left))
        .unwrap();
    connections.close(ANN);
    assert!(!connections.is_open(ANN));
    connections.send(ANN, pong(1)).unwrap();
    assert_eq!(out(&ann), [""; 0]);
    assert_eq!(connections.settle(with(1), false), []);
    assert_eq!(out(&ann), ["goodbye left", "close left"]);
}

#[test]
fn of_one_that_is_closing_the_rooms_hear_nothing_and_of_one_that_is_lost_they_do() {
    let (mut connections, ann, _) = two(9);
    connections
        .promise(ANN, own(1), goodbye(ErrorCode::Left))
        .unwrap();
    connections.close(ANN);
    connections.promise(BEN, own(1), done(1)).unwrap();
    assert!(!connections.remove(ANN) && connections.remove(BEN));
    assert_eq!(connections.settle(with(1), false), []);
    assert_eq!(out(&ann), [""; 0]);
    assert!(connections.all.is_empty() && connections.promised.is_empty());
}

#[test]
fn a_promise_that_cannot_be_kept_becomes_an_error_and_those_of_others_are_kept() {
    let (mut connections, ann, ben) = two(9);
    connections.promise(ANN, own(1), done(1)).unwrap();
    let anothers = Promised {
        with: with(1),
        is_own: false,
    };
    connections.promise(BEN, anothers, done(2)).unwrap();
    assert_eq!(connections.settle(with(1), true), []);
    assert_eq!(
        (out(&ann), out(&ben)),
        (vec!["error internal 1".into()], vec!["done 2".into()])
    );
}

#[test]
fn somebody_who_could_not_be_written_down_is_sent_away_to_come_anew() {
    let (mut connections, ann, _) = two(9);
    connections.promise(ANN, own(1), resumed()).unwrap();
    connections.send(ANN, pong(1)).unwrap();
    assert!(
        ann.has_entered() && ann.joined_at().is_none(),
        "not told yet"
    );
    assert_eq!(
        connections.settle(with(1), true),
        [ANN],
        "the rooms hear of it"
    );
    assert_eq!(out(&ann), ["goodbye internal", "close internal"]);
}

#[test]
fn more_than_may_wait_is_too_slow_and_no_promise_is_left_behind() {
    let (mut connections, ann, _) = two(2);
    connections.promise(ANN, own(1), done(1)).unwrap();
    connections.send(ANN, pong(1)).unwrap();
    assert_eq!(connections.send(ANN, pong(2)), Err(Overflow));
    assert_eq!(out(&ann), ["goodbye too_slow", "close too_slow"]);
    assert!(!connections.is_open(ANN) && connections.promised.is_empty());
    assert_eq!(connections.settle(with(1), false), []);
}
