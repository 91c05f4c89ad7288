//! What a decoder would make of the frames that come on one SSRC: whole, or broken. It decodes nothing.

use std::ops::AddAssign;

/// Frames of video, counted once for each receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pictures {
    /// Every packet came, and the frame is a key frame, or followed a whole one.
    pub(crate) whole: u64,
    /// A packet was missing, or the frame that it builds on.
    pub(crate) broken: u64,
}

impl AddAssign for Pictures {
    fn add_assign(&mut self, other: Self) {
        self.whole += other.whole;
        self.broken += other.broken;
    }
}

/// A packet of a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet {
    /// The publisher's number of it, one more for each packet of the track.
    pub(super) counter: u64,
    pub(super) begins_frame: bool,
    pub(super) begins_key_frame: bool,
    /// The last one of its frame.
    pub(super) ends_frame: bool,
}

/// The frames of one SSRC.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// Of the packet after the last one.
    next: Option<u64>,
    /// A frame has begun, or was to begin, and has not ended.
    is_open: bool,
    /// It cannot be decoded; until the next key frame nothing can.
    is_broken: bool,
}

impl Frames {
    /// A packet came, in the order of arrival. Gives the frames that are decided by it.
    pub(super) fn note(&mut self, packet: Packet) -> Pictures {
        let mut decided = Pictures::default();
        let follows = self.next == Some(packet.counter);
        self.next = Some(packet.counter + 1);
        if packet.begins_frame {
            // The one before never ended.
            decided.broken += u64::from(std::mem::replace(&mut self.is_open, true));
            let builds_on_what_came = follows && !self.is_broken && decided.broken == 0;
            self.is_broken = !(packet.begins_key_frame || builds_on_what_came);
        } else if !follows {
            self.is_open = true;
            self.is_broken = true;
        }
        if packet.ends_frame && std::mem::take(&mut self.is_open) {
            match self.is_broken {
                true => decided.broken += 1,
                false => decided.whole += 1,
            }
        }
        decided
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of three packets, the first and the fifth of them key frames, without the packets of these numbers.
    fn decided(missing: &[u64]) -> (u64, u64) {
        let mut frames = Frames::default();
        let mut sum = Pictures::default();
        for counter in (0..18).filter(|counter| !missing.contains(counter)) {
            let place = counter % 3;
            sum += frames.note(Packet {
                counter,
                begins_frame: place == 0,
                begins_key_frame: counter == 0 || counter == 12,
                ends_frame: place == 2,
            });
        }
        (sum.whole, sum.broken)
    }

    #[test]
    fn a_frame_is_whole_with_all_its_packets_and_what_it_builds_on() {
        assert_eq!(decided(&[]), (6, 0));
        assert_eq!(decided(&[4]), (3, 3), "a packet, and what came after it");
        assert_eq!(decided(&[3]), (3, 3), "its first one");
        assert_eq!(decided(&[5]), (3, 3), "its last one");
        assert_eq!(decided(&[3, 4, 5]), (3, 2), "all of a frame");
        assert_eq!(decided(&[13]), (4, 2), "of a key frame");
    }

    #[test]
    fn frames_left_out_whole_up_to_a_key_frame_break_nothing() {
        let gone: Vec<u64> = (6..12).collect();
        assert_eq!(decided(&gone), (4, 0));
    }
}
