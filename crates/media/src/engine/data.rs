//! Messages on data channels: from one peer to the others of its group. It never looks into one.

use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};

use super::Engine;
use crate::link::Item;
use crate::statistics::DropReason;
use crate::transport::{DataMessage, MessageKind};

impl Engine {
    /// A data message to everybody else of the group who has a channel of that label: the sender's participant
    /// id in 16 characters, a byte for its kind, then the message.
    pub(super) fn relay(&mut self, now: Instant, from: usize, message: DataMessage) {
        let Some(sender) = self.peers.get(from) else {
            return;
        };
        if !sender.publishes_data {
            return self.statistics.drop_for(DropReason::Data);
        }
        let mut payload = BytesMut::with_capacity(17 + message.payload.len());
        payload.put_slice(sender.participant.to_string().as_bytes());
        payload.put_u8(match message.kind {
            MessageKind::Binary => 0,
            MessageKind::Text => 1,
        });
        payload.put_slice(&message.payload);
        let payload: Bytes = payload.freeze();
        let group = sender.data_group;
        for worker in self.data_workers.get(&group).into_iter().flatten() {
            let item = Item::Data {
                data_group: group,
                label: message.label.clone(),
                payload: payload.clone(),
            };
            self.links.push(*worker, item);
        }
        self.send_to_group(now, group, Some(from), &message.label, &payload);
    }

    /// A message, ready to be sent, to everybody of a group on this engine but one.
    pub(super) fn send_to_group(
        &mut self,
        now: Instant,
        group: u64,
        but: Option<usize>,
        label: &str,
        payload: &Bytes,
    ) {
        let group = self.data_groups.get(&group).cloned().unwrap_or_default();
        for place in group.into_iter().filter(|place| Some(*place) != but) {
            let transport = &mut self.peers[place].transport;
            match transport.send_data(now, label, MessageKind::Binary, payload) {
                Ok(true) => {
                    self.statistics.data_messages += 1;
                    self.mark_dirty(place);
                }
                Ok(false) => {}
                Err(reason) => self.statistics.drop_for(reason),
            }
        }
    }
}
