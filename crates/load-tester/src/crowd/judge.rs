//! What should have come, against what came: for each participant and each stream of the room. A pure
//! function of what the threads counted.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::receiving::{Account, AccountReport};
use super::sending::TrackReport;
use super::track_number::TrackNumber;
use super::{Counted, Member};
use crate::measurements::Delivery;

/// Who was connected for longer than this and got nothing of a track has been forgotten by the server.
const PATIENCE: Duration = Duration::from_secs(2);

/// When packets were counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) from: Instant,
    pub(crate) until: Instant,
}

/// What came of the packets, and who got nothing at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) delivery: Delivery,
    /// Of these, those of sound.
    pub(crate) sound: Delivery,
    /// Participants who were connected, and tracks of which they got nothing: pairs.
    pub(crate) forgotten: u64,
}

/// What should have come, against what came.
pub(crate) fn judge(members: &[Arc<Member>], counted: &Counted, window: Window) -> Verdict {
    let mut verdict = Verdict::default();
    verdict.delivery.damaged = counted.damaged;
    let accounts = by_pair(&counted.accounts);
    let tracks = by_track(&counted.tracks);
    for member in members {
        let Some(stay) = Stay::of(member, window) else {
            continue;
        };
        for (track, layers) in &tracks {
            if !layers[0].track.is_for(member) {
                continue;
            }
            let mut pair = Verdict::default();
            match accounts.get(&(member.id, *track)) {
                Some(accounts) => pair.add_pair(stay, layers, accounts),
                None => pair.add_silence(stay, layers, window),
            }
            verdict.add(&pair, layers[0].is_audio);
        }
    }
    verdict
}

/// How much of the window a participant was connected.
#[derive(Clone, Copy)]
struct Stay {
    whole_begin: bool,
    whole_end: bool,
    connected_at: Instant,
}

impl Stay {
    fn of(member: &Member, window: Window) -> Option<Self> {
        let connected_at = member.connected_at().filter(|at| *at < window.until)?;
        let left_at = member.left_at();
        if left_at.is_some_and(|at| at <= window.from) {
            return None;
        }
        Some(Self {
            whole_begin: connected_at <= window.from,
            whole_end: left_at.is_none(),
            connected_at,
        })
    }
}

fn by_pair(accounts: &[AccountReport]) -> HashMap<(u32, u64), Vec<(TrackNumber, &Account)>> {
    let mut pairs: HashMap<_, Vec<_>> = HashMap::new();
    for report in accounts {
        let pair = (report.member, report.track.track());
        pairs
            .entry(pair)
            .or_default()
            .push((report.track, &report.account));
    }
    pairs
}

fn by_track(tracks: &[TrackReport]) -> HashMap<u64, Vec<&TrackReport>> {
    let mut grouped: HashMap<_, Vec<_>> = HashMap::new();
    for report in tracks {
        grouped
            .entry(report.track.track())
            .or_default()
            .push(report);
    }
    grouped
}

impl Verdict {
    fn add(&mut self, pair: &Self, is_audio: bool) {
        self.delivery += pair.delivery;
        self.forgotten += pair.forgotten;
        if is_audio {
            self.sound += pair.delivery;
        }
    }

    /// Who was there from the start is owed the first packet, who stayed to the end the last one; who came
    /// in between counts from the first packet that came, and who left to the last. The same goes for
    /// tracks, and for a layer that the server took up or left while packets were counted.
    fn add_pair(
        &mut self,
        stay: Stay,
        layers: &[&TrackReport],
        accounts: &[(TrackNumber, &Account)],
    ) {
        let is_alone = accounts.len() == 1 && !accounts[0].1.has_switched;
        for (number, account) in accounts {
            let sent = layers.iter().find(|layer| layer.track == *number);
            let (Some(sent), Some(first), Some(highest)) =
                (sent, account.order.first(), account.order.highest())
            else {
                self.delivery.offered += account.ended_span;
                self.add_account(account, account.ended_span);
                continue;
            };
            let first = match is_alone && stay.whole_begin && sent.was_there {
                true => sent.first,
                false => first,
            };
            let last = match is_alone && stay.whole_end && sent.is_there {
                true => sent.last,
                false => highest,
            };
            let offered = account.ended_span + (last + 1).saturating_sub(first);
            self.delivery.offered += offered;
            self.add_account(account, offered);
        }
    }

    fn add_account(&mut self, account: &Account, offered: u64) {
        let delivery = &mut self.delivery;
        delivery.delivered += account.delivered;
        delivery.lost += offered.saturating_sub(account.delivered);
        delivery.duplicated += account.duplicated();
        delivery.reordered += account.order.reordered();
        delivery.delivered_bytes += account.bytes;
    }

    /// Nothing of a track came.
    fn add_silence(&mut self, stay: Stay, layers: &[&TrackReport], window: Window) {
        let was_there = stay.whole_begin && layers.iter().any(|layer| layer.was_there);
        let is_there = stay.whole_end && layers.iter().any(|layer| layer.is_there);
        if was_there && is_there {
            // Of a track in layers any one would have done: the largest was to come.
            let packets = layers.iter().map(|layer| layer.last - layer.first + 1);
            let packets = packets.max().unwrap_or(0);
            self.delivery.offered += packets;
            self.delivery.lost += packets;
            self.forgotten += 1;
        } else if is_there && window.until.duration_since(stay.connected_at) > PATIENCE {
            self.forgotten += u64::from(layers.iter().any(|layer| layer.was_there));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurements::histogram;

    struct World {
        members: Vec<Arc<Member>>,
        counted: Counted,
        window: Window,
    }

    /// A publisher, and a subscriber who was connected before counting began; packets 10 to 19 were sent.
    fn world() -> World {
        let members: Vec<_> = [false, true]
            .into_iter()
            .enumerate()
            .map(|(id, subscribes)| Arc::new(Member::new(id as u32, 1, subscribes)))
            .collect();
        let now = Instant::now();
        members.iter().for_each(|member| member.note_connected(now));
        let track = TrackReport {
            track: TrackNumber::new(&members[0], 0, 0),
            is_audio: false,
            first: 10,
            last: 19,
            was_there: true,
            is_there: true,
            smallest_bytes: 100,
            largest_bytes: 100,
        };
        World {
            members,
            counted: Counted {
                accounts: Vec::new(),
                tracks: vec![track],
                damaged: 0,
                srtp_profiles: Default::default(),
                delay_us: histogram(),
                sound_delay_us: histogram(),
                pictures: Default::default(),
                lag_us: histogram(),
            },
            window: Window {
                from: now + Duration::from_millis(1),
                until: now + Duration::from_secs(20),
            },
        }
    }

    impl World {
        fn receive(&mut self, layer: usize, counters: impl IntoIterator<Item = u64>) {
            let mut account = Account::default();
            counters
                .into_iter()
                .for_each(|counter| account.add(counter, 100, false));
            self.counted.accounts.push(AccountReport {
                member: 1,
                track: TrackNumber::new(&self.members[0], 0, layer),
                account,
            });
        }

        fn delivery(&self) -> (u64, u64, u64, u64, u64) {
            let delivery = judge(&self.members, &self.counted, self.window).delivery;
            let Delivery {
                offered,
                delivered,
                lost,
                duplicated,
                reordered,
                ..
            } = delivery;
            (offered, delivered, lost, duplicated, reordered)
        }
    }

    #[test]
    fn every_packet_once_and_in_order_is_a_perfect_delivery() {
        let mut world = world();
        world.receive(0, 10..=19);
        assert_eq!(world.delivery(), (10, 10, 0, 0, 0));
    }

    #[test]
    fn what_is_lost_of_pictures_is_not_lost_of_sound() {
        let mut world = world();
        let sound = TrackReport {
            track: TrackNumber::new(&world.members[0], 1, 0),
            is_audio: true,
            ..world.counted.tracks[0]
        };
        world.counted.tracks.push(sound);
        world.receive(0, 10..=14);
        let mut account = Account::default();
        (10..=19).for_each(|counter| account.add(counter, 80, false));
        world.counted.accounts.push(AccountReport {
            member: 1,
            track: sound.track,
            account,
        });
        let verdict = judge(&world.members, &world.counted, world.window);
        assert_eq!((verdict.delivery.offered, verdict.delivery.lost), (20, 5));
        assert_eq!((verdict.sound.offered, verdict.sound.lost), (10, 0));
    }

    #[test]
    fn what_is_missing_at_the_begin_in_the_middle_and_at_the_end_is_lost() {
        let mut world = world();
        world.receive(0, [11, 12, 14, 15, 16, 17, 18]);
        assert_eq!(world.delivery(), (10, 7, 3, 0, 0));
    }

    #[test]
    fn doubled_and_overtaken_packets_are_told_apart() {
        let mut world = world();
        world.receive(0, [10, 11, 11, 13, 12, 14, 15, 16, 17, 18, 19]);
        assert_eq!(world.delivery(), (10, 10, 0, 1, 1));
    }

    #[test]
    fn who_got_nothing_lost_everything_and_is_named() {
        let world = world();
        assert_eq!(world.delivery(), (10, 0, 10, 0, 0));
        assert_eq!(
            judge(&world.members, &world.counted, world.window).forgotten,
            1
        );
    }

    #[test]
    fn who_comes_late_counts_from_the_first_packet_and_who_leaves_to_the_last() {
        let mut world = world();
        world.window.from = world.members[1].connected_at().unwrap() - Duration::from_millis(1);
        world.receive(0, 13..=16);
        assert_eq!(world.delivery(), (7, 4, 3, 0, 0));
        world.members[1].note_left();
        assert_eq!(world.delivery(), (4, 4, 0, 0, 0));
    }

    #[test]
    fn a_publisher_who_leaves_owes_only_what_came_before() {
        let mut world = world();
        world.counted.tracks[0].is_there = false;
        world.receive(0, 10..=15);
        assert_eq!(world.delivery(), (6, 6, 0, 0, 0));
    }

    #[test]
    fn a_change_of_layers_loses_nothing_by_itself() {
        let mut world = world();
        let other = TrackReport {
            track: TrackNumber::new(&world.members[0], 0, 1),
            ..world.counted.tracks[0]
        };
        world.counted.tracks.push(other);
        world.receive(0, 10..=13);
        world.receive(1, [14, 16, 17, 18, 19]);
        assert_eq!(world.delivery(), (10, 9, 1, 0, 0));
    }

    #[test]
    fn who_had_left_before_counts_for_nothing() {
        let mut world = world();
        world.members[1].note_left();
        world.window.from = Instant::now() + Duration::from_secs(1);
        assert_eq!(world.delivery(), (0, 0, 0, 0, 0));
    }
}
