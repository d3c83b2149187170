//! One screen that says how Evermesh is: complete with any of its processes dead.

mod age;
mod assemble;
mod control_plane;
mod data_path;
mod facts;
mod problems;
mod text;
mod view;

#[cfg(test)]
mod tests;

use evermesh_pins::host;

use crate::{Exit, Failure, args::Directories, output::Output};
use facts::Facts;
use view::{Health, StatusView};

/// Shows how Evermesh is.
pub fn status(directories: &Directories, output: Output) -> Result<Exit, Failure> {
    host::require_root()?;
    let view = StatusView::of(&Facts::gather(directories));
    output.show(&view)?;
    Ok(match view.health {
        Health::Healthy => Exit::Ok,
        Health::Degraded | Health::Absent => Exit::Degraded,
    })
}
