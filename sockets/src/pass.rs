use std::{io, path::Path};

use evermesh_abi::Endpoint;
use evermesh_pins::{Enrolment, Inventory, PinDir, Table, layout::Ways, origins, sys::ReadMapping};

use crate::{Orphans, OrphansError, diag::Diag, namespace};

/// What was done about the sockets whose endpoint is gone.
#[derive(Debug, Default)]
pub struct Pass {
    /// How many are destroyed.
    pub destroyed: usize,
    /// Why others are not.
    pub failed: Option<OrphansError>,
}

impl Pass {
    /// An error does not undo what was done before and besides.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { destroyed: self.destroyed + other.destroyed, failed: other.failed.or(self.failed) }
    }
}

impl From<OrphansError> for Pass {
    fn from(error: OrphansError) -> Self {
        Self { destroyed: 0, failed: Some(error) }
    }
}

/// Destroys every connected UDP socket of an enrolled pod whose endpoint is gone.
pub fn destroy_orphans(pins: &PinDir) -> Pass {
    try_to_destroy_orphans(pins).unwrap_or_else(Pass::from)
}

fn try_to_destroy_orphans(pins: &PinDir) -> Result<Pass, OrphansError> {
    let inventory = Inventory::read(pins)?;
    let orphans = orphans(&inventory)?;
    if orphans.is_empty() {
        return Ok(Pass::default());
    }
    let pods = Enrolment::open(pins)?.list()?.into_iter().map(|pod| pod.cookie).collect();
    namespace::visit(&pods, |path| destroy_here(&orphans, path))
}

fn orphans(inventory: &Inventory) -> Result<Orphans, OrphansError> {
    let live = inventory.live.and_then(|number| inventory.generations.get(&number));
    let endpoints = live.and_then(|generation| generation.tables.get(&Table::Endpoints));
    let (Some(pin), Some(endpoints)) = (inventory.frozen.get(&Table::Origins), endpoints) else {
        return Ok(Orphans::default());
    };
    // Where nobody knows its layout any more, programs write the one that is to take its place.
    let brought = || inventory.generations.values().find_map(|it| it.carried.get(&Table::Origins));
    let found = origins(pin).or_else(|unknown| brought().map_or(Err(unknown), origins));
    let found = found.map_err(failed(Table::Origins))?;
    if found.is_empty() {
        return Ok(Orphans::default());
    }
    let ways = live.map(Ways::to).unwrap_or_default();
    let records: ReadMapping<Endpoint> =
        ways.read(Table::Endpoints, endpoints).map_err(failed(Table::Endpoints))?;
    Ok(Orphans::among(found, (0..records.len()).filter_map(|id| records.get(id))))
}

fn failed(table: Table) -> impl FnOnce(io::Error) -> OrphansError {
    move |source| OrphansError::Table { table, source }
}

/// In the network namespace that the calling thread is in, and that was found at `path`.
fn destroy_here(orphans: &Orphans, path: &Path) -> Pass {
    let mut destroyed = 0;
    let failed = try_to_destroy_here(orphans, path, &mut destroyed).err();
    Pass { destroyed, failed }
}

fn try_to_destroy_here(orphans: &Orphans, path: &Path, destroyed: &mut usize) -> Result<(), OrphansError> {
    let failed = |step, source: io::Error| match source.kind() {
        io::ErrorKind::Unsupported => OrphansError::Unsupported,
        _ => OrphansError::Sockets { step, path: path.to_owned(), source },
    };
    let diag = Diag::open().map_err(|error| failed("ask about sockets", error))?;
    let sockets = diag.connected_udp().map_err(|error| failed("list UDP sockets", error))?;
    for socket in sockets.into_iter().filter(|socket| orphans.contains(socket)) {
        let done = diag.destroy(socket).map_err(|error| failed("destroy a UDP socket", error))?;
        *destroyed += usize::from(done);
    }
    Ok(())
}
