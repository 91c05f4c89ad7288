//! Media from end to end: the built server as a process, and headless participants of `load-tester`, who
//! know of it only what the protocol says. Nothing here asserts on time more tightly than a hang needs.
//!
//! One test at a time: they share two cores, and a witness that is starved sees loss that is its own.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod data;
mod forwarding;
mod joining;
mod network;
mod outage;
#[path = "../../../store/tests/store/postgres.rs"]
#[allow(dead_code, reason = "the store's tests use more of it")]
mod postgres;
mod silence;
mod spread;
mod strangers;
mod support;
