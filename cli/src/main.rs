//! The `evermesh` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    evermesh_cli::run(std::env::args_os()).into()
}
