//! How many bits a second arrive at the receiver, by its own clock: counted in short slices of time. It says
//! nothing of what could arrive.

/// One slice.
const SLICE_US: i64 = 20_000;
/// Slices kept: 640 ms.
const SLICES: usize = 32;

/// Bytes by slice of arrival time.
#[derive(Default)]
pub(super) struct Throughput {
    bytes: [u32; SLICES],
    /// The newest slice, and the first one ever.
    newest: i64,
    first: i64,
    is_begun: bool,
}

impl Throughput {
    /// A packet arrived.
    pub(super) fn on_packet(&mut self, arrival_us: i64, bytes: u16) {
        let slice = arrival_us.div_euclid(SLICE_US);
        let ahead = slice.wrapping_sub(self.newest);
        if !self.is_begun || ahead.unsigned_abs() > 10 * SLICES as u64 {
            *self = Self {
                newest: slice,
                first: slice,
                is_begun: true,
                ..Self::default()
            };
        } else if ahead <= -(SLICES as i64) {
            return;
        } else if ahead > 0 {
            for step in 1..=ahead.min(SLICES as i64) {
                self.bytes[place(slice - ahead + step)] = 0;
            }
            if ahead >= SLICES as i64 {
                self.bytes = [0; SLICES];
            }
            self.newest = slice;
        }
        let place = &mut self.bytes[place(slice)];
        *place = place.saturating_add(bytes.into());
    }

    /// Bits per second over the last whole slices, as many as asked for; `None` if there are not so many yet.
    pub(super) fn bps(&self, slices: usize) -> Option<f64> {
        let slices = slices.min(SLICES - 1) as i64;
        if !self.is_begun || self.newest - self.first < slices {
            return None;
        }
        let bytes: u64 = (1..=slices)
            .map(|back| u64::from(self.bytes[place(self.newest - back)]))
            .sum();
        Some(bytes as f64 * 8.0 * 1e6 / (slices * SLICE_US) as f64)
    }
}

fn place(slice: i64) -> usize {
    slice.rem_euclid(SLICES as i64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_is_measured_after_the_time_asked_for() {
        let mut throughput = Throughput::default();
        for packet in 0..60 {
            throughput.on_packet(packet * 5_000, 1_250);
        }
        // 1,250 bytes each 5 ms are 2 Mbit/s; 60 of them are 15 slices.
        assert_eq!(throughput.bps(15), None);
        assert_eq!(throughput.bps(14), Some(2e6));
        assert_eq!(throughput.bps(3), Some(2e6));
    }

    #[test]
    fn silence_counts_and_reordering_is_put_right() {
        let mut throughput = Throughput::default();
        throughput.on_packet(0, 1_000);
        throughput.on_packet(90_000, 1_000);
        throughput.on_packet(70_000, 500);
        assert_eq!(throughput.bps(4), Some(1_500.0 * 8.0 / 0.08));
        throughput.on_packet(5_000_000, 1_000);
        throughput.on_packet(5_700_000, 1_000);
        assert_eq!(throughput.bps(30), Some(0.0));
    }

    #[test]
    fn no_clock_makes_it_panic() {
        let mut throughput = Throughput::default();
        for arrival in [0, i64::MAX, i64::MIN, -1, 64_000 << 24, 0] {
            throughput.on_packet(arrival, u16::MAX);
            let _ = throughput.bps(usize::MAX);
        }
    }
}
