use std::{collections::HashMap, fmt, net::IpAddr};

use evermesh_abi::Endpoint;
use serde::Serialize;

use super::socket_address;
use crate::{
    live::Tables,
    names::{Names, hex},
    output::columns,
};

/// `dump endpoints`.
#[derive(Debug, Serialize)]
pub struct Endpoints {
    generation: u32,
    endpoints: Vec<EndpointView>,
}

/// One workload behind one service port.
#[derive(Debug, Serialize)]
struct EndpointView {
    service: String,
    service_port: u16,
    address: IpAddr,
    port: u16,
    workload: String,
    /// Of its service; 0: it is on its way in or out.
    slots: usize,
    id: u32,
    service_id: u32,
    workload_digest: String,
}

impl Endpoints {
    /// By service, port and id.
    pub fn of(tables: &Tables, names: &Names) -> Self {
        let slots = slots_by_endpoint(tables);
        let view = |(&id, endpoint): (&u32, &Endpoint)| {
            let slots = slots.get(&u64::from(id)).copied().unwrap_or_default();
            EndpointView::of(id, endpoint, slots, tables, names)
        };
        let mut endpoints: Vec<_> = tables.endpoints.iter().map(view).collect();
        endpoints.sort_by(|a, b| (&a.service, a.service_port, a.id).cmp(&(&b.service, b.service_port, b.id)));
        Self { generation: tables.generation, endpoints }
    }
}

impl EndpointView {
    fn of(id: u32, endpoint: &Endpoint, slots: usize, tables: &Tables, names: &Names) -> Self {
        let meta = tables.services.get(&endpoint.service).map(|service| service.meta).unwrap_or_default();
        Self {
            service: names.service(meta.digest),
            service_port: meta.port,
            address: endpoint.address.into(),
            port: u16::from_be(endpoint.port),
            workload: names.workload(endpoint.workload),
            slots,
            id,
            service_id: endpoint.service,
            workload_digest: hex(endpoint.workload),
        }
    }
}

fn slots_by_endpoint(tables: &Tables) -> HashMap<u64, usize> {
    let mut slots = HashMap::new();
    for &endpoint in tables.services.values().flat_map(|service| &service.slots) {
        *slots.entry(endpoint).or_default() += 1;
    }
    slots
}

impl fmt::Display for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.endpoints.is_empty() {
            return write!(f, "no endpoints in generation {}", self.generation);
        }
        let row = |e: &EndpointView| {
            let address = socket_address(e.address.into(), e.port.to_be()).to_string();
            let service = format!("{}:{}", e.service, e.service_port);
            [service, address, e.workload.clone(), e.slots.to_string(), e.id.to_string()]
        };
        let header = ["SERVICE", "ADDRESS", "WORKLOAD", "SLOTS", "ID"];
        f.write_str(&columns(header, self.endpoints.iter().map(row)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::dump::samples;

    #[test]
    fn endpoints_are_listed_by_service() {
        insta::assert_snapshot!(Endpoints::of(&samples::tables(), &samples::names()));
        insta::assert_snapshot!("no_endpoints", Endpoints::of(&Tables::default(), &Names::default()));
    }

    #[test]
    fn endpoints_without_a_name_show_their_digests() {
        insta::assert_snapshot!(Endpoints::of(&samples::tables(), &Names::default()));
    }

    #[test]
    fn endpoints_are_listed_as_json() {
        let endpoints = Endpoints::of(&samples::tables(), &samples::names());
        insta::assert_snapshot!(serde_json::to_string_pretty(&endpoints).unwrap());
    }
}
