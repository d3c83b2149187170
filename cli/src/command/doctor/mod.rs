//! What this kernel and host offer, what is missing, and what each missing thing costs. Needs no process, no pin and no
//! configuration of Evermesh; what it may not look at is `unknown`.

mod capabilities;
mod check;
mod facts;
mod gather;
mod host;
mod kernel;
mod lease;
mod memory;
mod neighbours;
mod pins;
mod placement;
mod tables;
mod text;
mod view;

#[cfg(test)]
mod tests;

use crate::{
    Exit, Failure,
    args::{Directories, Room},
    output::Output,
};
use check::Verdict;
use facts::Facts;
use view::DoctorView;

/// Shows what this kernel and host offer.
pub fn doctor(directories: &Directories, output: Output, room: Room) -> Result<Exit, Failure> {
    let view = DoctorView::of(&Facts::gather(directories, room));
    output.show(&view)?;
    Ok(if view.verdict == Verdict::Missing { Exit::Config } else { Exit::Ok })
}
