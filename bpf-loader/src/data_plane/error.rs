use std::{io, path::PathBuf};

use evermesh_pins::{
    ControlError, EnrolmentError, Finding, FrozenMapError, InventoryError, Table, ViewError, WriterLockError,
    layout::Unknown,
};

use crate::{
    generation::{CarryError, ChangeError},
    tables::{Full, Violation, WriteError},
};

/// Why the data plane was not taken over. Nothing was detached: traffic goes on by what stands.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The pin directory could not be made.
    #[error("cannot make {}: {source}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else writes.
    #[error(transparent)]
    Lock(#[from] WriterLockError),
    /// The pins could not be read.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// Something stands there that this release did not make.
    #[error(
        "what stands in bpffs is not what this release made, so nothing was touched and traffic goes on as it was:\n{}\nremove it with `evermesh uninstall` (traffic to services stops being balanced until the next start), or run the release that made it",
        list(.0)
    )]
    Findings(Vec<Finding>),
    /// The first generation could not be made, or a change not be undone; or a candidate could not take over.
    #[error(transparent)]
    Change(ChangeError),
    /// `control` could not be used.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The tables could not be brought up to date.
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

impl From<ChangeError> for StartError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Contents(error) => Self::Apply(error),
            error => Self::Change(error),
        }
    }
}

fn list(findings: &[Finding]) -> String {
    let mut lines: Vec<_> = findings.iter().map(|finding| format!("  {finding}")).collect();
    let may_be_lost = findings.iter().all(|finding| finding.may_be_lost());
    lines.extend(may_be_lost.then(|| {
        let flag = Table::names(&Table::CARRIED);
        format!("  what stands there can be given up, and sockets that stand forget what they asked for: --accept-loss {flag}")
    }));
    lines.join("\n")
}

/// Why the tables were not changed. They say what they said before.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// No room.
    #[error(transparent)]
    Full(#[from] Full),
    /// A store failed.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The tables could not be read.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The pins could not be read.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// A frozen map could not be opened.
    #[error(transparent)]
    Frozen(#[from] FrozenMapError),
    /// What stands in a frozen map could not be counted.
    #[error(transparent)]
    Carry(#[from] CarryError),
    /// One frozen map is of this release's layout, another one of the release before's.
    #[error(
        "{table} is of the other release's layout than the maps beside it: what carries them over was interrupted by something else than an end"
    )]
    Mixed {
        /// Which.
        table: Table,
    },
    /// A frozen map is of a layout that nobody knows, and not all that goes with it may be lost.
    #[error(
        "{table} cannot be carried over, since it is {unknown}; to go on without what stands in it and in what belongs to it, declare their loss: --accept-loss {flag}"
    )]
    Undeclared {
        /// Which.
        table: Table,
        /// What differs.
        unknown: Unknown,
        /// All whose loss would have to be declared.
        flag: String,
    },
    /// `control` could not be used.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// Enrolled pods could not be counted.
    #[error(transparent)]
    Enrolment(#[from] EnrolmentError),
    /// The live generation is another release's, and its keys are of another layout.
    #[error(
        "the live generation's keys are of another layout, so {left_out} stores were left out: services that are new or gone wait for a generation of this release"
    )]
    Keys {
        /// How many.
        left_out: usize,
    },
    /// Running programs could not be waited for.
    #[error("cannot wait for running programs to end: {0}")]
    Barrier(io::Error),
    /// The clock could not be read.
    #[error("cannot read CLOCK_BOOTTIME: {0}")]
    Clock(io::Error),
    /// The tables do not say what the model says although every store succeeded: a defect. Checked in debug builds.
    #[error("the tables do not say what was applied: {0}")]
    Violation(#[from] Violation),
}
