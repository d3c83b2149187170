use std::{collections::BTreeSet, fmt, net::IpAddr};

use evermesh_abi::{ALGORITHM_MAGLEV, ALGORITHM_NONE, ALGORITHM_RANDOM, ALGORITHM_ROUND_ROBIN, FrontendKey};
use serde::Serialize;

use super::{protocol, socket_address};
use crate::{
    live::{Service, Tables},
    names::{Names, hex},
    output::columns,
};

/// `dump services`.
#[derive(Debug, Serialize)]
pub struct Services {
    generation: u32,
    services: Vec<ServiceView>,
}

/// A service port in one address family.
#[derive(Debug, Serialize)]
struct ServiceView {
    service: String,
    port: u16,
    family: u8,
    frontends: Vec<FrontendView>,
    endpoints: usize,
    slots: usize,
    algorithm: String,
    /// Its traffic goes where it was going.
    left_alone: bool,
    id: u32,
    digest: String,
}

/// What an application connects to.
#[derive(Debug, Serialize)]
struct FrontendView {
    address: IpAddr,
    port: u16,
    protocol: String,
}

impl Services {
    /// By name, port and family.
    pub fn of(tables: &Tables, names: &Names) -> Self {
        let mut services: Vec<_> =
            tables.services.iter().map(|(&id, service)| ServiceView::of(id, service, names)).collect();
        services.sort_by(|a, b| (&a.service, a.port, a.family).cmp(&(&b.service, b.port, b.family)));
        Self { generation: tables.generation, services }
    }
}

impl ServiceView {
    fn of(id: u32, service: &Service, names: &Names) -> Self {
        let endpoints: BTreeSet<_> = service.slots.iter().filter(|&&endpoint| endpoint != 0).collect();
        Self {
            service: names.service(service.meta.digest),
            port: service.meta.port,
            family: service.meta.family,
            frontends: service.frontends.iter().map(FrontendView::from).collect(),
            endpoints: endpoints.len(),
            slots: service.slots.len(),
            algorithm: algorithm(service.algorithm),
            left_alone: service.algorithm == ALGORITHM_NONE,
            id,
            digest: hex(service.meta.digest),
        }
    }
}

impl From<&FrontendKey> for FrontendView {
    fn from(key: &FrontendKey) -> Self {
        let (address, port) = (key.address.into(), u16::from_be(key.port));
        Self { address, port, protocol: protocol(key.protocol) }
    }
}

/// Its name.
pub fn algorithm(number: u8) -> String {
    match number {
        ALGORITHM_RANDOM => "random".into(),
        ALGORITHM_ROUND_ROBIN => "round_robin".into(),
        ALGORITHM_MAGLEV => "maglev".into(),
        ALGORITHM_NONE => "none".into(),
        other => other.to_string(),
    }
}

impl fmt::Display for FrontendView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = socket_address(self.address.into(), self.port.to_be());
        write!(f, "{address}/{}", self.protocol)
    }
}

impl fmt::Display for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.services.is_empty() {
            return write!(f, "no services in generation {}", self.generation);
        }
        let row = |s: &ServiceView| {
            let frontends: Vec<_> = s.frontends.iter().map(FrontendView::to_string).collect();
            let family = format!("IPv{}", s.family);
            let endpoints = if s.left_alone { "left alone".to_owned() } else { s.endpoints.to_string() };
            [s.service.clone(), s.port.to_string(), family, endpoints, frontends.join(", ")]
        };
        let header = ["SERVICE", "PORT", "FAMILY", "ENDPOINTS", "REACHED AT"];
        f.write_str(&columns(header, self.services.iter().map(row)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::dump::samples;

    #[test]
    fn service_ports_are_listed_by_name() {
        insta::assert_snapshot!(Services::of(&samples::tables(), &samples::names()));
        insta::assert_snapshot!("no_services", Services::of(&Tables::default(), &Names::default()));
    }

    #[test]
    fn service_ports_without_a_name_show_their_digest() {
        insta::assert_snapshot!(Services::of(&samples::tables(), &Names::default()));
    }

    #[test]
    fn service_ports_are_listed_as_json() {
        let services = Services::of(&samples::tables(), &samples::names());
        insta::assert_snapshot!(serde_json::to_string_pretty(&services).unwrap());
    }
}
