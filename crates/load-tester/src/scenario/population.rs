//! The participants of a run: lets them join at a pace, serves each in a task of its own, and knows what
//! has become of each. It counts no packets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use tokio::sync::{oneshot, watch};

use super::failures::Failures;
use crate::crowd::{Crowd, Member, PublishSpec};
use crate::servers::{Joining, Signaling};

/// Whoever has not joined, connected and received after this is told as a failure.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked at who is connected.
const LOOK: Duration = Duration::from_millis(50);

/// Somebody who is to join.
#[derive(Clone, Debug, Default)]
pub(super) struct Newcomer {
    pub(super) room: u32,
    pub(super) publishes: Vec<PublishSpec>,
    pub(super) subscribes: bool,
    /// Receives what this one publishes, and nothing else.
    pub(super) only: Option<u32>,
}

/// What has become of a participant.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    Joining,
    In,
    Failed(String),
    Left,
}

/// One participant.
struct Person {
    member: Arc<Member>,
    stage: watch::Receiver<Stage>,
    leave: Option<oneshot::Sender<()>>,
}

impl Person {
    fn has_failed(&self) -> bool {
        matches!(*self.stage.borrow(), Stage::Failed(_))
    }

    fn is_settled(&self) -> bool {
        let join = self.member.join();
        self.has_failed() || (join.joined.is_some() && join.connected.is_some())
    }
}

/// The participants of a run.
pub(super) struct Population {
    pub(super) crowd: Arc<Crowd>,
    signaling: Arc<dyn Signaling>,
    failures: Failures,
    /// Rooms are called so and a number: unlike those of other runs.
    room_prefix: String,
    transport_cc: bool,
    people: Vec<Person>,
}

impl Population {
    pub(super) fn new(
        crowd: Arc<Crowd>,
        signaling: Arc<dyn Signaling>,
        failures: Failures,
        transport_cc: bool,
    ) -> Self {
        Self {
            crowd,
            signaling,
            failures,
            room_prefix: format!("load-{:08x}", rand::random::<u32>()),
            transport_cc,
            people: Vec::new(),
        }
    }

    /// Everybody who was to join so far, those who have left included.
    pub(super) fn members(&self) -> Vec<Arc<Member>> {
        self.people
            .iter()
            .map(|person| person.member.clone())
            .collect()
    }

    /// How many are connected and have not left.
    pub(super) fn connected(&self) -> u64 {
        let is_connected = |person: &&Person| {
            *person.stage.borrow() == Stage::In && person.member.connected_at().is_some()
        };
        self.people.iter().filter(is_connected).count() as u64
    }

    /// Let somebody join, now and without waiting for it. Gives their number.
    pub(super) fn admit(&mut self, newcomer: Newcomer) -> u32 {
        let Newcomer {
            room,
            publishes,
            subscribes,
            only,
        } = newcomer;
        let member = self.crowd.member(room, subscribes, only);
        let id = member.id;
        let joining = Joining {
            member: member.clone(),
            room_name: format!("{}-{room}", self.room_prefix),
            identity: self.identity(id),
            only: only.map(|only| self.identity(only)),
            publishes,
            transport_cc: self.transport_cc,
        };
        let (stage_sender, stage) = watch::channel(Stage::Joining);
        let (leave, leaving) = oneshot::channel();
        tokio::spawn(attend(
            self.crowd.clone(),
            self.signaling.clone(),
            joining,
            stage_sender,
            leaving,
            self.failures.clone(),
        ));
        self.people.push(Person {
            member,
            stage,
            leave: Some(leave),
        });
        id
    }

    fn identity(&self, id: u32) -> String {
        format!("{}-p{id}", self.room_prefix)
    }

    /// Let somebody leave, without waiting for it.
    pub(super) fn dismiss(&mut self, id: u32) {
        let person = self.people.iter_mut().find(|person| person.member.id == id);
        if let Some(person) = person
            && let Some(leave) = person.leave.take()
        {
            person.member.note_left();
            // A task that has ended has left already.
            let _ = leave.send(());
        }
    }

    /// Let these join at a pace, and wait until each is connected or has failed. It is an error if nobody
    /// was let in.
    pub(super) async fn gather(&mut self, newcomers: Vec<Newcomer>, per_second: f64) -> Result<()> {
        let began = Instant::now();
        let before = self.people.len();
        for (place, newcomer) in newcomers.into_iter().enumerate() {
            let due = began + Duration::from_secs_f64(place as f64 / per_second);
            tokio::time::sleep_until(due.into()).await;
            self.admit(newcomer);
            // Where the first one fails the others would too.
            if place == 0 && before == 0 {
                self.settle(0).await?;
            }
            let failed = self.people[before..]
                .iter()
                .filter(|person| person.has_failed());
            if failed.count() > self.people.len() - before - 1 && self.people.len() > before {
                break;
            }
        }
        self.settle(before).await
    }

    /// Wait until each from this place on is connected or has failed.
    async fn settle(&mut self, from: usize) -> Result<()> {
        let began = Instant::now();
        while !self.people[from..].iter().all(Person::is_settled) {
            if began.elapsed() > PATIENCE {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        let people = &self.people[from..];
        for person in people.iter().filter(|person| !person.is_settled()) {
            let seconds = PATIENCE.as_secs();
            let id = person.member.id;
            self.failures.add(format!(
                "participant {id} was not connected after {seconds} s"
            ));
        }
        let is_in = |person: &Person| person.is_settled() && !person.has_failed();
        if people.iter().any(is_in) || people.is_empty() {
            return Ok(());
        }
        let first = self.failures.first().into_iter().next();
        bail!("nobody could join: {}", first.unwrap_or_default())
    }

    /// It is an error if everybody has lost the connection.
    pub(super) fn check_alive(&self) -> Result<()> {
        let mut reasons = self
            .people
            .iter()
            .filter_map(|person| match &*person.stage.borrow() {
                Stage::Failed(reason) => Some(reason.clone()),
                _ => None,
            });
        let some_are_in = self
            .people
            .iter()
            .any(|person| matches!(*person.stage.borrow(), Stage::In | Stage::Joining));
        match (some_are_in, reasons.next()) {
            (false, Some(reason)) => Err(anyhow!(
                "everybody has lost the server, which has ended or cannot be reached any more: {reason}"
            )),
            _ => Ok(()),
        }
    }

    /// Everybody leaves, and is given a moment for it.
    pub(super) async fn leave(&mut self) {
        let ids: Vec<u32> = self.people.iter().map(|person| person.member.id).collect();
        ids.into_iter().for_each(|id| self.dismiss(id));
        let all = async {
            for person in &mut self.people {
                let gone = |stage: &Stage| matches!(stage, Stage::Left | Stage::Failed(_));
                // A task that has ended has left.
                let _ = person.stage.wait_for(gone).await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(5), all).await;
    }
}

/// One participant's life.
async fn attend(
    crowd: Arc<Crowd>,
    signaling: Arc<dyn Signaling>,
    joining: Joining,
    stage: watch::Sender<Stage>,
    mut leaving: oneshot::Receiver<()>,
    failures: Failures,
) {
    let id = joining.member.id;
    let member = joining.member.clone();
    let result = async {
        let mut attendance = tokio::select! {
            attendance = signaling.join(&crowd, joining) => attendance?,
            _ = &mut leaving => return Ok(()),
        };
        stage.send_replace(Stage::In);
        tokio::select! {
            ended = attendance.serve() => ended,
            _ = &mut leaving => attendance.leave().await,
        }
    };
    let result: Result<()> = result.await;
    let ended = match result {
        Ok(()) => Stage::Left,
        // Whoever was leaving anyway has left.
        Err(_) if member.left_at().is_some() => Stage::Left,
        Err(error) => {
            let reason = format!("{error:#}");
            failures.add(format!("participant {id}: {reason}"));
            Stage::Failed(reason)
        }
    };
    stage.send_replace(ended);
}
