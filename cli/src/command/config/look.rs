use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

use evermesh_abi::FrontendKey;
use evermesh_loader::{
    Lowered, lower_all,
    tables::{Meaning, TableRead},
};
use evermesh_model::{Place, ServiceKey};
use evermesh_pins::{Inventory, PinDir, TablesView, layout::Ways};

use super::{
    compare::{Sides, differences},
    source::Source,
};
use crate::{Failure, live, names::Names};

/// What is found when source and tables are looked at once.
#[derive(Debug)]
pub struct Look {
    /// Where the source is.
    pub source: String,
    /// Name of this node.
    pub node: String,
    /// The live generation.
    pub generation: u32,
    /// Destinations that the source knows.
    pub destinations: usize,
    /// Destinations of which something else becomes than should.
    pub differences: BTreeMap<FrontendKey, Sides>,
    services: HashMap<FrontendKey, String>,
    workloads: HashMap<(IpAddr, u16), String>,
}

impl Look {
    /// At what is live.
    pub fn at(pins: &PinDir, source: Source) -> Result<Self, Failure> {
        let inventory = Inventory::read(pins)?;
        let (number, generation) = live::live(pins, &inventory)?;
        let view = TablesView::in_ways(pins, number, generation, Ways::to(generation))?;
        Ok(Self::compare(number, &view, source))
    }

    /// At these tables.
    pub fn compare(generation: u32, tables: &impl TableRead, source: Source) -> Self {
        let place = Place::of_node(&source.node, &source.snapshot);
        let lowered: BTreeMap<ServiceKey, Lowered> = lower_all(&source.snapshot, &place).collect();
        let meaning = Meaning::of_model(&lowered);
        let names = Names::of(&source.snapshot).or(source.former);
        Self {
            generation,
            destinations: meaning.0.len(),
            differences: differences(&meaning, &Meaning::of_tables(tables)),
            services: services(&lowered, tables, &names),
            workloads: workloads(&lowered, tables, &names),
            source: source.name,
            node: source.node,
        }
    }

    /// The service that a destination belongs to; none: only its address is known, of no service.
    pub fn service(&self, key: &FrontendKey) -> Option<&str> {
        self.services.get(key).map(String::as_str)
    }

    /// Who listens there.
    pub fn workload(&self, endpoint: &(IpAddr, u16)) -> Option<&str> {
        self.workloads.get(endpoint).map(String::as_str)
    }
}

/// The source has the last word.
fn services(
    lowered: &BTreeMap<ServiceKey, Lowered>,
    tables: &impl TableRead,
    names: &Names,
) -> HashMap<FrontendKey, String> {
    let mut services = HashMap::new();
    for (key, value) in tables.frontends() {
        if let Some(meta) = tables.service_meta(value.service()).filter(|meta| meta.digest != 0) {
            // Its address is of the same service.
            let mark = FrontendKey::known_address(key.address);
            services.extend([key, mark].map(|key| (key, names.service(meta.digest))));
        }
    }
    for (service, lowered) in lowered {
        let keys = lowered.ports.iter().flat_map(|port| &port.frontends).copied();
        let marks = lowered.addresses.iter().map(|address| FrontendKey::known_address(*address));
        services.extend(keys.chain(marks).map(|key| (key, service.to_string())));
    }
    services
}

/// The source has the last word.
fn workloads(
    lowered: &BTreeMap<ServiceKey, Lowered>,
    tables: &impl TableRead,
    names: &Names,
) -> HashMap<(IpAddr, u16), String> {
    let records = (1..tables.entries().endpoints).filter_map(|id| tables.endpoint(id));
    let standing = records.filter(|record| record.port != 0);
    let standing = standing.map(|record| (record.address, record.port, record.workload));
    let ports = lowered.values().flat_map(|lowered| &lowered.ports);
    let endpoints = ports.flat_map(|port| &port.endpoints);
    let wanted = endpoints.map(|endpoint| (endpoint.address, endpoint.port, endpoint.workload));
    let all = standing.chain(wanted);
    all.map(|(address, port, workload)| ((address.into(), u16::from_be(port)), names.workload(workload)))
        .collect()
}
