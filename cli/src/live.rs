use std::collections::BTreeMap;

use evermesh_abi::{Endpoint, FrontendKey, ServiceMeta};
use evermesh_pins::{GenerationPins, Inventory, PinDir, Table, TablesView, layout::Ways};

use crate::Failure;

/// What stands in the live generation's tables, as plain data. A writer may be at work meanwhile: what is read is true
/// entry by entry.
#[derive(Debug, Default)]
pub struct Tables {
    /// The live generation.
    pub generation: u32,
    /// By id.
    pub services: BTreeMap<u32, Service>,
    /// By id; those that belong to a service.
    pub endpoints: BTreeMap<u32, Endpoint>,
}

/// A service port in one address family.
#[derive(Debug, Default)]
pub struct Service {
    /// What changes seldom.
    pub meta: ServiceMeta,
    /// How a slot is picked.
    pub algorithm: u8,
    /// Where it is reached, sorted.
    pub frontends: Vec<FrontendKey>,
    /// The endpoint ids in its slots.
    pub slots: Vec<u64>,
}

impl Tables {
    /// Reads the live generation.
    pub fn read(pins: &PinDir) -> Result<Self, Failure> {
        let inventory = Inventory::read(pins)?;
        let (number, generation) = live(pins, &inventory)?;
        let view = TablesView::in_ways(pins, number, generation, Ways::to(generation))?;
        Ok(Self { generation: number, services: services(&view), endpoints: endpoints(&view) })
    }
}

/// The generation that traffic obeys, on trial or not; where nothing is attached, the one that is live.
pub fn live<'a>(pins: &PinDir, inventory: &'a Inventory) -> Result<(u32, &'a GenerationPins), Failure> {
    let nothing = || Failure::NothingLive { path: pins.root().to_owned() };
    let named = || inventory.live.and_then(|number| Some((number, inventory.generations.get(&number)?)));
    let (number, generation) = inventory.obeyed().last().or_else(named).ok_or_else(nothing)?;
    match Table::OF_GENERATION.into_iter().find(|table| !generation.tables.contains_key(table)) {
        Some(missing) => Err(Failure::MissingTable { path: pins.table(number, missing) }),
        None => Ok((number, generation)),
    }
}

fn services(view: &TablesView) -> BTreeMap<u32, Service> {
    let ids = 0..view.entries().services;
    let mut services: BTreeMap<u32, Service> =
        ids.filter_map(|id| service(view, id).map(|service| (id, service))).collect();
    for frontend in &view.frontends {
        if let Some(service) = services.get_mut(&frontend.value.service()) {
            service.frontends.push(frontend.key);
        }
    }
    services.values_mut().for_each(|service| service.frontends.sort());
    services
}

fn service(view: &TablesView, id: u32) -> Option<Service> {
    let meta = view.service_meta(id).filter(|meta| meta.digest != 0)?;
    let word = view.service(id).unwrap_or_default();
    let slots = word.offset()..word.offset().saturating_add(word.count());
    let slots = slots.filter_map(|slot| view.slot(slot)).collect();
    Some(Service { meta, algorithm: word.algorithm(), frontends: Vec::new(), slots })
}

fn endpoints(view: &TablesView) -> BTreeMap<u32, Endpoint> {
    let ids = 1..view.entries().endpoints;
    ids.filter_map(|id| Some((id, view.endpoint(id).filter(|endpoint| endpoint.service != 0)?))).collect()
}
