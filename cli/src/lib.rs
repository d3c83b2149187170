//! The `evermesh` command. It works with every process of Evermesh dead: what it shows and removes it finds through
//! the pins, the state directory and the run directory; living processes are asked only for what they alone know.

mod args;
mod command;
mod exit;
mod failure;
mod heartbeat;
mod hooked;
mod known;
mod live;
mod names;
mod output;
mod process;
mod record;

use std::ffi::OsString;

use clap::Parser as _;

use args::{Arguments, Command, Config};
pub use exit::Exit;
use failure::Failure;

/// Parses the arguments, the program's name first, and does what they say.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return misused(&error),
    };
    let output = arguments.output();
    let Arguments { directories, command, .. } = arguments;
    let done = match command {
        Command::Run(asked) => command::run(&directories, &asked),
        Command::Pod(asked) => command::pod(&directories, output, &asked),
        Command::Status => command::status(&directories, output),
        Command::Doctor(room) => command::doctor(&directories, output, room),
        Command::Dump(what) => command::dump(&directories, output, &what),
        Command::Config(Config::Diff(asked)) => command::diff(&directories, output, &asked),
        Command::Upgrade(asked) => command::upgrade(&directories, output, &asked),
        Command::Uninstall { purge } => command::uninstall(&directories, output, purge),
    };
    done.unwrap_or_else(|failure| output.complain(&failure))
}

/// Help and version are asked for through the same door as errors.
fn misused(error: &clap::Error) -> Exit {
    // Where even this cannot be printed there is nobody to tell.
    let _unseen = error.print();
    if error.use_stderr() { Exit::Usage } else { Exit::Ok }
}
