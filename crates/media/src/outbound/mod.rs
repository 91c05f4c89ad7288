//! What one subscriber gets of one track. It never reads a packet from the network, nor encrypts one.

pub(crate) mod layer_selector;
pub(crate) mod rewriter;
