use std::{io, path::Path};

use evermesh_abi::Endpoint;
use evermesh_pins::{
    Enrolment, GenerationPins, Inventory, PinDir, Table, TablesView, layout::Ways, sys::ReadMapping,
};

use crate::{Orphans, Protocol, SocketsError, diag::Diag, namespace, origins};

/// What was done about the sockets whose endpoint is gone.
#[derive(Debug, Default)]
pub struct Pass {
    /// How many are destroyed.
    pub destroyed: usize,
    /// Why others are not.
    pub failed: Option<SocketsError>,
}

impl Pass {
    /// An error does not undo what was done before and besides.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { destroyed: self.destroyed + other.destroyed, failed: other.failed.or(self.failed) }
    }
}

impl From<SocketsError> for Pass {
    fn from(error: SocketsError) -> Self {
        Self { destroyed: 0, failed: Some(error) }
    }
}

/// Destroys every connected UDP socket of an enrolled pod whose endpoint is gone.
pub fn destroy_orphans(pins: &PinDir) -> Pass {
    try_to_destroy_orphans(pins).unwrap_or_else(Pass::from)
}

fn try_to_destroy_orphans(pins: &PinDir) -> Result<Pass, SocketsError> {
    let origins = origins::standing(&Inventory::read(pins)?)?;
    if origins.is_empty() {
        return Ok(Pass::default());
    }
    let inventory = Inventory::read(pins)?;
    let members = members(&inventory)?;
    if members.is_empty() {
        return Ok(Pass::default());
    }
    let records = members.iter().flat_map(|records| (0..records.len()).filter_map(|id| records.get(id)));
    let by_id = Orphans::among(origins, records);
    let orphans = inventory.obeyed().try_fold(by_id, |left, of| by_virtual_ip(left, pins, of))?;
    if orphans.is_empty() {
        return Ok(Pass::default());
    }
    let pods = Enrolment::open(pins)?.list()?.into_iter().map(|pod| pod.cookie).collect();
    let passes = namespace::visit(&pods, |_, path| destroy_here(&orphans, path))?;
    Ok(passes.into_iter().map(|pass| pass.unwrap_or_else(Pass::from)).fold(Pass::default(), Pass::and))
}

/// Who stands behind services, by the tables that traffic obeys. Opened after the origins were read: another generation may have
/// taken over meanwhile, and leads sockets by tables of its own. None: nobody can tell.
fn members(inventory: &Inventory) -> Result<Vec<ReadMapping<Endpoint>>, SocketsError> {
    let tables = |(_, generation): (u32, &GenerationPins)| {
        let pin = generation.tables.get(&Table::Endpoints)?;
        Some(Ways::to(generation).read(Table::Endpoints, pin).map_err(origins::failed(Table::Endpoints)))
    };
    inventory.obeyed().map(tables).collect::<Option<Result<_, _>>>().unwrap_or(Ok(Vec::new()))
}

/// Their virtual IPs are listed only where there is somebody to judge.
fn by_virtual_ip(
    orphans: Orphans,
    pins: &PinDir,
    (number, generation): (u32, &GenerationPins),
) -> Result<Orphans, SocketsError> {
    if orphans.is_empty() {
        return Ok(orphans);
    }
    let tables = TablesView::in_ways(pins, number, generation, Ways::to(generation))?;
    let services = tables.frontends.iter().map(|entry| (entry.key, entry.value.service())).collect();
    let records = (0..tables.entries().endpoints).filter_map(|id| tables.endpoint(id));
    Ok(orphans.by_virtual_ip(&services, records))
}

/// In the network namespace that the calling thread is in, and that was found at `path`.
fn destroy_here(orphans: &Orphans, path: &Path) -> Pass {
    let mut destroyed = 0;
    let failed = try_to_destroy_here(orphans, path, &mut destroyed).err();
    Pass { destroyed, failed }
}

fn try_to_destroy_here(orphans: &Orphans, path: &Path, destroyed: &mut usize) -> Result<(), SocketsError> {
    let failed = |step, source: io::Error| match source.kind() {
        io::ErrorKind::Unsupported => SocketsError::Unsupported,
        _ => SocketsError::Sockets { step, path: path.to_owned(), source },
    };
    let diag = Diag::open().map_err(|error| failed("ask about sockets", error))?;
    let sockets = diag.connected(Protocol::Udp).map_err(|error| failed("list UDP sockets", error))?;
    for socket in sockets.into_iter().filter(|socket| orphans.contains(socket)) {
        let done = diag.destroy(socket).map_err(|error| failed("destroy a UDP socket", error))?;
        *destroyed += usize::from(done);
    }
    Ok(())
}
