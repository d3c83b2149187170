//! `evermesh-supervisor`: see [`evermesh_upgrader`].

use std::{
    fmt::Display,
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use clap::Parser as _;
use evermesh_upgrader::{Exit, Options, run};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

fn main() -> ExitCode {
    let options = Options::parse();
    start_logging();
    match run(&options) {
        Ok(exit) => {
            say(&exit);
            exit.into()
        }
        Err(error) => {
            say(&format_args!("evermesh-supervisor: {error}"));
            Exit::from(&error).into()
        }
    }
}

/// Logs go to stderr. A log that nobody reads any more must not end the supervisor: no complaint about it either.
fn start_logging() {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .log_internal_errors(false)
        .init();
}

fn say(words: &dyn Display) {
    let _ = writeln!(io::stderr(), "{words}");
}
