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
    let services = Services::obeyed(&inventory)?;
    if services.is_empty() {
        return Ok(Pass::default());
    }
    let by_id = Orphans::among(origins, services.iter().flat_map(Services::members));
    let orphans = services.iter().try_fold(by_id, |left, services| services.judge_again(left, pins))?;
    if orphans.is_empty() {
        return Ok(Pass::default());
    }
    let pods = Enrolment::open(pins)?.list()?.into_iter().map(|pod| pod.cookie).collect();
    let passes = namespace::visit(&pods, |_, path| destroy_here(&orphans, path))?;
    Ok(passes.into_iter().map(|pass| pass.unwrap_or_else(Pass::from)).fold(Pass::default(), Pass::and))
}

/// Services, by the tables of a generation that traffic obeys.
struct Services<'a> {
    number: u32,
    generation: &'a GenerationPins,
    ways: Ways,
    endpoints: ReadMapping<Endpoint>,
}

impl<'a> Services<'a> {
    /// Opened after the origins were read: another generation may have taken over meanwhile, and leads sockets by tables of its own.
    /// None: nobody can tell.
    fn obeyed(inventory: &'a Inventory) -> Result<Vec<Self>, SocketsError> {
        let tables = |(number, generation): (u32, &'a GenerationPins)| {
            let pin = generation.tables.get(&Table::Endpoints)?;
            let ways = Ways::to(generation);
            let endpoints = ways.read(Table::Endpoints, pin).map_err(origins::failed(Table::Endpoints));
            Some(endpoints.map(|endpoints| Self { number, generation, ways, endpoints }))
        };
        inventory.obeyed().map(tables).collect::<Option<Result<_, _>>>().unwrap_or(Ok(Vec::new()))
    }

    fn members(&self) -> impl Iterator<Item = Endpoint> {
        (0..self.endpoints.len()).filter_map(|id| self.endpoints.get(id))
    }

    /// By virtual IP, which are listed only where there is somebody to judge.
    fn judge_again(&self, orphans: Orphans, pins: &PinDir) -> Result<Orphans, SocketsError> {
        if orphans.is_empty() {
            return Ok(orphans);
        }
        let frontends = TablesView::frontends(pins, self.number, self.generation, &self.ways)?;
        let services = frontends.iter().map(|entry| (entry.key, entry.value.service())).collect();
        Ok(orphans.by_virtual_ip(&services, self.members()))
    }
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
