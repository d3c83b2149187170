//! What the source of the configuration says, compared with what the kernel's tables do.

mod compare;
mod look;
mod source;
mod view;

#[cfg(test)]
mod tests;

use std::{thread, time::Duration};

use evermesh_pins::host;

use crate::{
    Exit, Failure,
    args::{Diff, Directories},
    output::Output,
};
use look::Look;
use source::Source;
use view::DiffView;

/// An agent has applied what it saw, and what it saw is what the source says.
const SETTLING: Duration = Duration::from_millis(500);

/// Shows where they differ. Needs no process of Evermesh. A change that is on its way is no difference: what differs is looked
/// at twice.
pub fn diff(directories: &Directories, output: Output, asked: &Diff) -> Result<Exit, Failure> {
    host::require_root()?;
    let mut look = take_look(directories, asked)?;
    if !look.differences.is_empty() {
        thread::sleep(SETTLING);
        let before = look.differences;
        look = take_look(directories, asked)?;
        look.differences.retain(|key, sides| before.get(key) == Some(sides));
    }
    let view = DiffView::of(&look);
    output.show(&view)?;
    Ok(if view.same { Exit::Ok } else { Exit::Failure })
}

fn take_look(directories: &Directories, asked: &Diff) -> Result<Look, Failure> {
    Look::at(&directories.pins(), Source::read(directories, asked)?)
}
