//! Joins headless participants into a room and says what each of them receives. For trying things by hand:
//!
//! ```sh
//! cargo run --release -p load-tester --example participants -- 127.0.0.1:8080 room 2 10 30
//! ```
//!
//! with the server's address, the room, how many publish, how many only watch, and for how many seconds.
#![allow(clippy::print_stdout)] // what it is for

use std::time::Duration;

use anyhow::{Context, Result};
use load_tester::{Participant, ParticipantOptions, PublishOptions};

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what: &str| arguments.next().with_context(|| format!("say {what}"));
    let server = next("the server's address, as 127.0.0.1:8080")?.parse()?;
    let room = next("the room")?;
    let publishers: usize = next("how many publish")?.parse()?;
    let viewers: usize = next("how many watch")?.parse()?;
    let seconds = next("for how many seconds")?.parse()?;

    let mut participants = Vec::new();
    for number in 0..publishers + viewers {
        let mut options = ParticipantOptions::new(server, &room, &format!("headless {number}"));
        if number < publishers {
            options = options
                .publishing(PublishOptions::microphone())
                .publishing(PublishOptions::camera(300_000));
        }
        let participant = Participant::join(options).await?;
        let timings = participant.timings();
        println!(
            "{number}: joined after {:?}, answered after {:?}, connected after {:?}",
            timings.joined, timings.answered, timings.connected
        );
        participants.push(participant);
    }
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    for (number, participant) in participants.iter().enumerate() {
        for (track, reception) in participant.receptions() {
            let faults = reception.faults().unwrap_or("no fault".to_owned());
            println!(
                "{number}: {track} {} packets, mean delay {:?}, longest {:?}: {faults}",
                reception.packets,
                reception.mean_delay(),
                reception.longest_delay
            );
        }
    }
    for participant in participants {
        participant.leave().await?;
    }
    Ok(())
}
