//! A later release whose maps have other layouts, those that programs write too, is upgraded to by the real supervisor and gone
//! back from, under traffic: it steps down before the earlier one is started.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod falls;
mod kills;
mod refusals;
mod sockets;
mod takeover;
mod there_and_back;
mod trial;

use std::{ffi::OsStr, time::Duration};

use evermesh_chaos_tests::{Error, Result, mesh::Mesh};
use evermesh_pins::{
    Inventory, Table,
    layout::{Kernel, Known},
};

/// So long that no agent is replaced because the machine is slow.
const FLAGS: [&str; 4] = ["--watchdog-ms", "20000", "--gate-ms", "500"];
/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// The release of `variants/releases/layouts.patch`.
const LATER: &str = "layouts";

/// Which layout the maps have that programs write; none: the later release's.
fn known(mesh: &Mesh<'_>) -> Option<Known> {
    let inventory = Inventory::read(&mesh.pins()).unwrap();
    let mut kernel = Kernel::default();
    let known = Table::CARRIED.map(|table| kernel.known(table, &inventory.frozen[&table].info).ok());
    assert_eq!(known[0], known[1]);
    known[0]
}

fn releases(mesh: &Mesh<'_>) -> Result<serde_json::Value> {
    let text = mesh.command(&["upgrade", "status", "--json"].map(OsStr::new))?;
    serde_json::from_str(&text).map_err(|source| Error::Json { what: "upgrade status", source })
}
