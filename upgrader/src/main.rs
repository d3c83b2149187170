//! `evermesh-supervisor`: see [`evermesh_upgrader`].

use std::{
    fmt::Display,
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use clap::Parser as _;
use evermesh_upgrader::{Exit, Options, check, run};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

fn main() -> ExitCode {
    let options = Options::parse();
    if options.check {
        return be_checked(&options);
    }
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

/// Whoever asks reads the answer from stdout.
fn be_checked(options: &Options) -> ExitCode {
    match check(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stdout(), "{error}");
            ExitCode::FAILURE
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
