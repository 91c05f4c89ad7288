//! What peers publish: the tracks, their layers, and what publishers are told about them.

mod activity;
mod alignment;
mod bitrate;
mod cache;
mod claims;
mod key_frame;
mod layer;
mod loudest;
mod nack;
mod picture;
mod rate;
mod reception;
mod speaking;
pub(crate) mod track;
mod transport_cc;
mod watched;

pub(crate) use bitrate::{SPATIAL, TEMPORAL};
pub(crate) use cache::PacketCache;
pub(crate) use claims::Said;
pub(crate) use layer::Layer;
pub(crate) use loudest::{Hearing, Loudest};
pub(crate) use nack::Arrival;
pub(crate) use rate::RateLimit;
pub(crate) use reception::{SenderClock, ticks};
pub(crate) use track::Track;
pub(crate) use transport_cc::ArrivalRecorder;
