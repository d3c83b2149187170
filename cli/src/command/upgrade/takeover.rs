//! Whether a supervisor of this release may ask the one that runs for its seat.

use std::{path::Path, time::Duration};

use evermesh_handover::Client;
use evermesh_pins::Table;
use evermesh_upgrader::release::{Source, Stamps, Store};

use super::{UpgradeError, moves::refuse_unknown_layouts};
use crate::args::Directories;

const ANSWER: Duration = Duration::from_secs(10);

/// Refuses it, before anything moves, where this release's agent, in that directory, can do nothing with what is pinned, even if
/// the committed release steps down and what stands in the maps of `accept_loss` may be lost. Where nobody runs, or keeps releases, nothing is refused.
pub fn refuse_takeover(
    directories: &Directories,
    dir: &Path,
    accept_loss: &[Table],
) -> Result<(), UpgradeError> {
    let state = Client::connect(&directories.run(), ANSWER).and_then(|mut client| client.state());
    // Whatever else is wrong, the supervisor finds too.
    let Some(known) = state.ok().and_then(|state| state.releases) else { return Ok(()) };
    let store = Store::of(&directories.state_dir);
    let mut stamps = Stamps::load(store.dir());
    let own = Source::measure(dir, &mut stamps)?;
    stamps.save();
    refuse_unknown_layouts(directories, &store, &known, &own.digest, dir, accept_loss)
}
