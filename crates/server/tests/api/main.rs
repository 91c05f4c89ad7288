//! The HTTP API of the real binary: who may ask for what, with which token; what comes back, held to the
//! OpenAPI document; the event stream and webhooks.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[expect(dead_code, reason = "another test binary needs the rest")]
#[path = "../server/client.rs"]
mod client;
#[expect(dead_code, reason = "another test binary needs the rest")]
#[path = "../server/process.rs"]
mod process;
#[macro_use]
#[path = "../../src/http/api/route_table.rs"]
mod route_table;

mod call;
mod live;
mod messages;
mod plain;
mod routes;
mod schema;
mod sessions;
mod tokens;
mod webhooks;
