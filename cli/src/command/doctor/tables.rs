//! How large the tables are, and would be made.

use std::{collections::BTreeMap, os::fd::AsFd as _};

use evermesh_loader::TableSizes;
use evermesh_pins::{
    GenerationPins, MapPin, Table,
    probe::{Footprint, charged},
    sys,
};

use super::facts::{Standing, TableFacts};
use crate::args::Room;

/// What is asked for, else what the live generation has, else what the agent takes by itself.
pub fn sizes(room: Room, frozen: &BTreeMap<Table, MapPin>, live: Option<&GenerationPins>) -> TableSizes {
    let default = TableSizes::default();
    let shared = |table| Some(frozen.get(&table)?.info.max_entries);
    // Id 0 is never used in these two.
    let standing = |table| Some(live?.tables.get(&table)?.info.max_entries.saturating_sub(1));
    TableSizes {
        services: room.max_services.or_else(|| standing(Table::Services)).unwrap_or(default.services),
        endpoints: room.max_endpoints.or_else(|| standing(Table::Endpoints)).unwrap_or(default.endpoints),
        origins: room.max_origins.or_else(|| shared(Table::Origins)).unwrap_or(default.origins),
        udp_origins: room
            .max_udp_origins
            .or_else(|| shared(Table::UdpOrigins))
            .unwrap_or(default.udp_origins),
        pods: room.max_pods.or_else(|| shared(Table::Enrolled)).unwrap_or(default.pods),
    }
}

/// Each table as it would be made with these sizes, and as it stands.
pub fn all(
    sizes: TableSizes,
    frozen: &BTreeMap<Table, MapPin>,
    live: Option<&GenerationPins>,
) -> Vec<TableFacts> {
    // One CPU more or less changes little.
    let cpus = sys::possible_cpus().unwrap_or(1);
    let facts = |table: Table| {
        let pin = frozen.get(&table).or_else(|| live?.tables.get(&table));
        let entries = sizes.entries(table);
        TableFacts {
            table,
            entries,
            footprint: Footprint::of(&table.layout(), entries, cpus),
            standing: pin.map(standing),
        }
    };
    Table::ALL.into_iter().map(facts).collect()
}

fn standing(pin: &MapPin) -> Standing {
    Standing { entries: pin.info.max_entries, bytes: charged(pin.fd.as_fd()).ok() }
}
