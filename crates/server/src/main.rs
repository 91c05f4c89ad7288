//! The binary `plenum`: reads its configuration, starts the server, and waits for its end. It decides
//! nothing itself.

mod address;
mod auth;
mod clock;
mod config;
mod health;
mod http;
mod keeper;
mod keys;
mod link;
mod listener;
mod live_stream;
mod load;
mod logging;
mod media_worker;
mod metrics;
mod node;
mod outbox;
mod page;
mod placement;
mod rate;
mod request;
mod run;
mod schedule;
mod session;
mod sight;
mod udp;
mod webhooks;
mod websocket;

use clap::Parser;

use crate::config::{Arguments, Subcommand, load};

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(Subcommand::MakeKey) = arguments.subcommand {
        println!("{}", keys::made_key());
        return Ok(());
    }
    let config = load(&arguments, std::env::vars_os())?;
    logging::start(config.log_format, &config.log)?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(run::run(config))
}
