//! SDP as a server needs it: read a client's offer, write the answer. Pure functions of text; it never
//! makes an offer, and never decides which track goes into which section.
//!
//! The general grammar is read by a line reader of our own: a library would give lines with names and
//! values, which is the small part; what they mean together (BUNDLE, payload types, simulcast) is the
//! negotiation itself, and belongs to a server. `rtc::sdp` would copy every line, and refuse an offer whose
//! lines are not in the order of RFC 8866, which no answer depends on.

mod answer;
mod codecs;
mod error;
mod extensions;
mod lines;
mod offer;
mod parse;
mod section;
mod simulcast;
mod ssrc;
#[cfg(test)]
mod tests;
mod transport;

pub(crate) use answer::{Answer, AnsweredSection, SentTrack, write_answer};
pub(crate) use error::OfferError;
pub(crate) use offer::{
    Direction, Fingerprint, HashFunction, Media, Offer, OfferedCodec, OfferedSection,
};
pub(crate) use parse::parse_offer;
