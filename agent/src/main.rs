//! `evermesh-agent`: see [`evermesh_agent`].

use std::{
    env,
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use clap::Parser as _;
use evermesh_agent::{Options, run, say_layouts, step_down};
use evermesh_handover::errand::{SAY_LAYOUTS, STEP_DOWN};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

fn main() -> ExitCode {
    if is_asked(evermesh_sentinel::ARGUMENT) {
        return be_sentinel();
    }
    if is_asked(SAY_LAYOUTS) {
        return be_asked_for_layouts();
    }
    if is_asked(STEP_DOWN) {
        return be_asked_to_step_down();
    }
    let options = Options::parse();
    start_logging();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error, error.exit_code().into()),
    }
}

fn is_asked(argument: &str) -> bool {
    env::args_os().nth(1).is_some_and(|first| first == argument)
}

fn be_asked_for_layouts() -> ExitCode {
    say_layouts().map_or_else(|error| complain(&error, ExitCode::FAILURE), |()| ExitCode::SUCCESS)
}

fn be_asked_to_step_down() -> ExitCode {
    let arguments = env::args_os().enumerate().filter(|(at, _)| *at != 1).map(|(_, argument)| argument);
    let options = Options::parse_from(arguments);
    start_logging();
    step_down(&options).map_or_else(|error| complain(&error, ExitCode::FAILURE), |()| ExitCode::SUCCESS)
}

/// Whoever started it sees by its silence that it has failed.
fn be_sentinel() -> ExitCode {
    evermesh_sentinel::serve().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

fn complain(error: &impl std::error::Error, code: ExitCode) -> ExitCode {
    // Where even this cannot be printed there is nobody to tell.
    let _unseen = writeln!(io::stderr(), "evermesh-agent: {error}");
    code
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
