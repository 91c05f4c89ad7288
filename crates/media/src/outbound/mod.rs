//! What one subscriber gets of one track. It never reads a packet from the network, nor encrypts one.

mod layer_selector;
mod retransmission;
mod rewriter;
mod round_trip;
mod track;

pub(crate) use layer_selector::{LayerSelector, Lot};
pub(crate) use track::{FirstNumbers, OutboundTrack, Way};
