//! Senders and a bottleneck in memory, in steps of a millisecond: what the estimate makes of a path. Each figure
//! is printed (`cargo test --release -p media simulation -- --nocapture`), and those of docs/media.md are these.

mod library;
mod link;
mod sender;
mod starved;
mod tests;
