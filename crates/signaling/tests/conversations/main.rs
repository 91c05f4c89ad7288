//! Conversations with `Rooms`: one command in, the exact list of effects out, nothing left over. After
//! each command the invariants are checked, and every client's view against the room. No time passes
//! but what a test lets pass.

mod attendance;
mod checks;
mod coming_back;
mod expected;
mod faults;
mod hosts;
mod joining;
mod limits;
mod live;
mod media_plane;
mod media_reports;
mod moderating;
mod over_http;
mod presence;
mod publishing;
mod putting_out;
mod random;
mod restarting;
mod sessions;
mod speaking;
mod store;
mod subscribing;
mod view;
mod viewports;
mod waiting;
mod world;
