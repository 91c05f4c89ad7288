//! What a media socket counted, and what the kernel says of it.

use std::ops::AddAssign;

/// What a socket counted. Counters only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct UdpStatistics {
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) send_calls: u64,
    /// Waiting now: no counter.
    pub(crate) waiting: u64,
    pub(crate) overflowed: u64,
    pub(crate) failed: u64,
    /// Received by the kernel, and dropped because the buffer was full.
    pub(crate) kernel_dropped: u64,
    /// What the kernel gave: no counters.
    pub(crate) receive_buffer_bytes: u64,
    pub(crate) send_buffer_bytes: u64,
}

impl AddAssign for UdpStatistics {
    fn add_assign(&mut self, other: Self) {
        self.received += other.received;
        self.sent += other.sent;
        self.send_calls += other.send_calls;
        self.waiting += other.waiting;
        self.overflowed += other.overflowed;
        self.failed += other.failed;
        self.kernel_dropped += other.kernel_dropped;
        self.receive_buffer_bytes += other.receive_buffer_bytes;
        self.send_buffer_bytes += other.send_buffer_bytes;
    }
}

/// What the kernel dropped at this port since it was bound, because the receive buffer was full: datagrams, or bundles
/// of them (GRO), which count once. 0 where the kernel does not say.
pub(crate) fn dropped_by_kernel(port: u16) -> u64 {
    let tables = ["/proc/self/net/udp", "/proc/self/net/udp6"];
    let tables = tables.map(|path| std::fs::read_to_string(path).unwrap_or_default());
    tables.iter().map(|table| drops_in(table, port)).sum()
}

/// Of each line, the second word is the local address and port in hexadecimal, the last the drops (proc(5)).
fn drops_in(table: &str, port: u16) -> u64 {
    let drops = table.lines().skip(1).filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let (_, its_port) = words.nth(1)?.rsplit_once(':')?;
        let is_it = u16::from_str_radix(its_port, 16).ok()? == port;
        words.next_back()?.parse::<u64>().ok().filter(|_| is_it)
    });
    drops.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_dropped_at_a_port_is_the_last_column_of_its_lines() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
            \x20 97: 00000000:1ECA 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 17 2 0000000000000000 42\n\
            \x20 98: 0100007F:1ECB 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 18 2 0000000000000000 5\n\
            broken\n";
        assert_eq!(
            (
                drops_in(table, 7882),
                drops_in(table, 7883),
                drops_in(table, 1)
            ),
            (42, 5, 0)
        );
        assert_eq!(drops_in("", 7882), 0);
    }
}
