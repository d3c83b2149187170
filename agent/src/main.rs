//! `evermesh-agent`: see [`evermesh_agent`].

use std::{
    env,
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use clap::Parser as _;
use evermesh_agent::{Options, run};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

fn main() -> ExitCode {
    if env::args_os().nth(1).is_some_and(|first| first == evermesh_sentinel::ARGUMENT) {
        return be_sentinel();
    }
    let options = Options::parse();
    start_logging();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where even this cannot be printed there is nobody to tell.
            let _unseen = writeln!(io::stderr(), "evermesh-agent: {error}");
            error.exit_code().into()
        }
    }
}

/// Whoever started it sees by its silence that it has failed.
fn be_sentinel() -> ExitCode {
    evermesh_sentinel::serve().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

/// A log that nobody reads any more must not end the agent: no complaint about it either.
fn start_logging() {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .log_internal_errors(false)
        .init();
}
