//! Datagrams to one peer, collected during a turn of the engine, to go out in runs (UDP GSO).

use crate::transmit::Transmit;

use super::ice::Path;

/// The kernel takes at most 64 segments, and at most an IP packet's 65,535 bytes, in one call.
const RUN_SEGMENTS: usize = 64;
const RUN_BYTES: usize = 65_000;

/// A buffer that grew beyond this is given back by `shrink`.
const KEPT_BYTES: usize = 16 * 1024;

/// Datagrams end to end, with their lengths.
#[derive(Default)]
pub(crate) struct Outbox {
    /// The datagrams. Whoever writes one appends it here, and then calls `finish`.
    pub(crate) buffer: Vec<u8>,
    lengths: Vec<u16>,
    finished: usize,
}

impl Outbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// Add a whole datagram.
    pub(crate) fn push(&mut self, datagram: &[u8]) {
        self.buffer.extend_from_slice(datagram);
        self.finish();
    }

    /// What was appended to `buffer` since the last call is one datagram.
    pub(crate) fn finish(&mut self) {
        let length = self.buffer.len() - self.finished;
        match u16::try_from(length) {
            Ok(0) => {}
            Ok(length) => {
                self.lengths.push(length);
                self.finished = self.buffer.len();
            }
            Err(_) => self.buffer.truncate(self.finished),
        }
    }

    /// Hand everything out, in runs of equal datagrams of which the last may be shorter. Gives how many.
    pub(crate) fn flush(&mut self, path: Option<Path>, send: &mut impl FnMut(Transmit<'_>)) {
        if let Some(path) = path {
            let mut start = 0;
            let mut rest = &self.lengths[..];
            while let Some((segment, count, bytes)) = next_run(rest) {
                send(Transmit {
                    to: path.remote,
                    from: path.local,
                    contents: &self.buffer[start..start + bytes],
                    segment_size: (count > 1).then_some(segment),
                });
                start += bytes;
                rest = &rest[count..];
            }
        }
        self.clear();
    }

    /// Forget what was written.
    pub(crate) fn clear(&mut self) {
        self.buffer.clear();
        self.lengths.clear();
        self.finished = 0;
    }

    /// Give a large buffer back.
    pub(crate) fn shrink(&mut self) {
        if self.buffer.capacity() > KEPT_BYTES {
            self.buffer = Vec::new();
        }
    }
}

/// The longest run at the front: bytes per segment, segments, bytes in all.
fn next_run(lengths: &[u16]) -> Option<(usize, usize, usize)> {
    let segment = usize::from(*lengths.first()?);
    let mut count = 0;
    let mut bytes = 0;
    for length in lengths.iter().map(|length| usize::from(*length)) {
        if length > segment || count == RUN_SEGMENTS || bytes + length > RUN_BYTES {
            break;
        }
        count += 1;
        bytes += length;
        if length < segment {
            break;
        }
    }
    Some((segment, count, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(lengths: &[usize]) -> Vec<(usize, Option<usize>)> {
        let mut outbox = Outbox::default();
        for length in lengths {
            outbox.push(&vec![7; *length]);
        }
        let path = Path {
            remote: ([127, 0, 0, 1], 9).into(),
            local: None,
        };
        let mut runs = Vec::new();
        outbox.flush(Some(path), &mut |transmit| {
            runs.push((transmit.contents.len(), transmit.segment_size))
        });
        assert!(outbox.is_empty());
        runs
    }

    #[test]
    fn a_run_has_equal_datagrams_and_ends_with_a_shorter_one() {
        assert_eq!(runs(&[100, 100, 40, 100]), [(240, Some(100)), (100, None)]);
        assert_eq!(runs(&[40, 100, 100]), [(40, None), (200, Some(100))]);
        assert_eq!(runs(&[100]), [(100, None)]);
        assert_eq!(runs(&[]), []);
    }

    #[test]
    fn a_run_keeps_to_what_the_kernel_takes() {
        let many = runs(&[1_200; 150]);
        assert!(many.iter().all(|(bytes, _)| *bytes <= RUN_BYTES));
        assert_eq!(
            many.iter().map(|(bytes, _)| bytes).sum::<usize>(),
            150 * 1_200
        );
    }
}
