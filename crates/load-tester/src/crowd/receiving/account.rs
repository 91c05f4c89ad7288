//! What one receiver got of one stream while packets were counted. It knows neither who the receiver is nor
//! what should have come.

use crate::order::OrderLog;

/// What one receiver got of one stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    /// The counters that came in the present stay.
    pub(crate) order: OrderLog,
    /// Different packets that came, in all stays.
    pub(crate) delivered: u64,
    /// Payload bytes of these.
    pub(crate) bytes: u64,
    /// Counters from the first to the highest of each stay that has ended.
    pub(crate) ended_span: u64,
    needless_repairs: u64,
    /// A stay has ended: the server has taken another layer.
    pub(crate) has_switched: bool,
}

impl Account {
    /// A packet came. `is_repair`: as a retransmission, which a receiver drops if it has the packet.
    pub(in crate::crowd) fn add(&mut self, counter: u64, bytes: usize, is_repair: bool) {
        let before = self.order.duplicated();
        self.order.add(counter);
        if self.order.duplicated() > before {
            self.needless_repairs += u64::from(is_repair);
            return;
        }
        self.delivered += 1;
        self.bytes += bytes as u64;
    }

    /// Packets that came again, not as retransmissions.
    pub(crate) fn duplicated(&self) -> u64 {
        self.order.duplicated() - self.needless_repairs
    }

    /// The server sends another layer of the track in place of this one.
    pub(super) fn switch_away(&mut self) {
        if let (Some(first), Some(highest)) = (self.order.first(), self.order.highest()) {
            self.ended_span += highest - first + 1;
            self.has_switched = true;
        }
        self.order.begin_anew();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repair_of_what_is_there_is_no_double_and_a_second_copy_is() {
        let mut account = Account::default();
        for counter in [5, 6, 8] {
            account.add(counter, 100, false);
        }
        account.add(6, 100, true);
        account.add(7, 100, true);
        account.add(8, 100, false);
        assert_eq!((account.delivered, account.bytes), (4, 400));
        assert_eq!((account.duplicated(), account.order.lost()), (1, 0));
    }

    #[test]
    fn what_is_sent_while_another_layer_is_shown_is_not_missing() {
        let mut account = Account::default();
        account.add(5, 100, false);
        account.add(7, 100, false);
        account.switch_away();
        account.add(100, 100, false);
        account.add(101, 100, false);
        assert_eq!((account.ended_span, account.order.first()), (3, Some(100)));
        assert_eq!(account.delivered, 4);
    }
}
