//! Messages on data channels.

use std::time::Duration;

use load_tester::{DataMessage, Event, Participant};
use protocol::ParticipantId;
use serde_json::json;
use tokio::sync::broadcast::Receiver;

use crate::support::*;

/// How a greeting begins: it is said again and again until it is heard, and may come late.
const GREETING: &str = "is";

/// So many data messages, and whatever comes in a while after them; greetings left out.
async fn heard(events: &mut Receiver<Event>, many: usize) -> Vec<DataMessage> {
    let mut messages = Vec::new();
    let patience = |heard| match heard < many {
        true => PATIENCE,
        false => Duration::from_secs(2),
    };
    while let Ok(Ok(event)) = tokio::time::timeout(patience(messages.len()), events.recv()).await {
        match event {
            Event::Data(message) if message.payload.starts_with(GREETING.as_bytes()) => {}
            Event::Data(message) => messages.push(message),
            Event::Fault { what } => panic!("{what}"),
            _ => {}
        }
    }
    messages
}

fn message(from: ParticipantId, channel: &str, payload: &str) -> DataMessage {
    DataMessage {
        channel: channel.into(),
        from: Some(from),
        is_text: false,
        payload: payload.to_owned().into_bytes().into(),
    }
}

/// Say something again and again until it is heard: channels open in their own time.
async fn until_heard(speaker: &Participant, listeners: &mut [&mut Receiver<Event>]) {
    for (number, listener) in listeners.iter_mut().enumerate() {
        for channel in ["reliable", "lossy"] {
            let greeting = format!("{GREETING} {channel} open for {number}?");
            until("a greeting is heard", async || {
                // A channel that is not open yet refuses.
                if speaker
                    .send_data(channel, greeting.as_bytes())
                    .await
                    .is_err()
                {
                    return false;
                }
                let expected = message(speaker.id(), channel, &greeting);
                let deadline = tokio::time::Instant::now() + Duration::from_millis(500);
                while let Ok(Ok(event)) = tokio::time::timeout_at(deadline, listener.recv()).await {
                    if matches!(event, Event::Data(message) if message == expected) {
                        return true;
                    }
                }
                false
            })
            .await;
        }
    }
}

#[tokio::test]
async fn data_messages_reach_the_room_and_nobody_else() {
    let server = Server::start().await;
    let (speaker, first, second) = tokio::join!(
        server.viewer("room", "speaker"),
        server.viewer("room", "first"),
        server.viewer("room", "second")
    );
    let elsewhere = server.viewer("another room", "elsewhere").await;
    let (mut own, mut first_events, mut second_events, mut elsewhere_events) = (
        speaker.events(),
        first.events(),
        second.events(),
        elsewhere.events(),
    );
    until_heard(&speaker, &mut [&mut first_events, &mut second_events]).await;

    for number in 0..100 {
        speaker
            .send_data("reliable", format!("message {number}").as_bytes())
            .await
            .unwrap();
    }
    speaker.send_data("lossy", b"quick").await.unwrap();
    for events in [&mut first_events, &mut second_events] {
        let (lossy, reliable): (Vec<_>, Vec<_>) = heard(events, 101)
            .await
            .into_iter()
            .partition(|message| message.channel == "lossy");
        let expected: Vec<_> = (0..100)
            .map(|number| message(speaker.id(), "reliable", &format!("message {number}")))
            .collect();
        assert_eq!(reliable, expected);
        assert_eq!(lossy, [message(speaker.id(), "lossy", "quick")]);
    }
    assert_eq!(heard(&mut own, 0).await, []);
    assert_eq!(heard(&mut elsewhere_events, 0).await, []);
}

#[tokio::test]
async fn who_may_not_publish_data_is_not_heard_but_hears() {
    let server = Server::start().await;
    let grant = json!({ "room": "room", "roomJoin": true, "canPublishData": false });
    let mut options = server.options("room", "silenced");
    options.token = Some(server.token("silenced", grant));
    let silenced = Participant::join(options).await.unwrap();
    let other = server.viewer("room", "other").await;
    let (mut events, mut other_events) = (silenced.events(), other.events());
    until_heard(&other, &mut [&mut events]).await;
    let before = server.dropped("data").await;
    silenced.send_data("reliable", b"may I?").await.unwrap();
    assert_eq!(heard(&mut other_events, 0).await, []);
    until("it is counted", async || {
        server.dropped("data").await > before
    })
    .await;
}
