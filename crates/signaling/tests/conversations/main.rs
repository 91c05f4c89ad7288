//! Conversations with `Rooms`: one command in, the exact list of effects out, nothing left over. After
//! each command the invariants are checked, and every client's view against the room. No time passes
//! but what a test lets pass.

mod checks;
mod coming_back;
mod expected;
mod joining;
mod limits;
mod live;
mod media_plane;
mod media_reports;
mod moderating;
mod publishing;
mod random;
mod speaking;
mod subscribing;
mod view;
mod world;
