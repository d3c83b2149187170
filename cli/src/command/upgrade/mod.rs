//! Other releases: tried by the running supervisor, gone back from, looked at.

mod error;
mod history;
mod layouts;
mod loss;
mod moves;
mod plan;
mod state;
mod takeover;
mod trial;

use evermesh_pins::host;

pub use error::UpgradeError;
pub use takeover::refuse_takeover;

use crate::{
    Exit, Failure,
    args::{Directories, Look, Upgrade},
    output::Output,
};

/// Tries a release, or shows what is known of releases.
pub fn upgrade(directories: &Directories, output: Output, asked: &Upgrade) -> Result<Exit, Failure> {
    host::require_root()?;
    match (&asked.to, &asked.look) {
        (Some(_), Some(_)) => Err(UpgradeError::ToAndCommand.into()),
        (_, Some(Look::Status)) => state::show(directories, output),
        (_, Some(Look::History)) => history::show(directories, output),
        (_, Some(Look::Plan { to })) => plan::show(directories, output, to, &asked.accept_loss),
        (_, Some(Look::Rollback { tries })) => moves::back(directories, output, *tries, &asked.accept_loss),
        (Some(to), None) => moves::to(directories, output, to, asked.tries, &asked.accept_loss),
        (None, None) => Err(UpgradeError::NothingAsked.into()),
    }
}
