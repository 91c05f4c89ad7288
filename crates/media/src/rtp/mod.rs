//! RTP as bytes and numbers: parsing, writing, unwrapping sequence numbers, and what a payload's first bytes
//! tell. Nothing here knows a peer, a track or a key.

pub(crate) mod codec;
pub(crate) mod packet;
#[cfg(test)]
pub(crate) mod seeded;
pub(crate) mod sequence;
pub(crate) mod writer;
