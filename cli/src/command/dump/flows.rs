use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{IpAddr, SocketAddr},
};

use evermesh_model::Snapshot;
use evermesh_sockets::{Flow, Protocol, Through};
use serde::Serialize;

use super::socket_address;
use crate::{live::Tables, names::Names, output::columns};

/// `dump flows`.
#[derive(Debug, Serialize)]
pub struct Flows {
    generation: u32,
    flows: Vec<FlowView>,
    /// Pods that could not be looked into, and why.
    unseen: Vec<String>,
}

/// Sockets of one pod that lead to the same place by the same way.
#[derive(Debug, Serialize)]
struct FlowView {
    pod: String,
    protocol: &'static str,
    /// What the application asked for, if that was a virtual IP.
    virtual_ip: Option<PlaceView>,
    /// Whose it is; a service that is gone has no name any more.
    service: Option<String>,
    service_port: Option<u16>,
    address: IpAddr,
    port: u16,
    /// Who is there; several where an address is shared. Nobody: it is no workload's.
    workloads: BTreeSet<String>,
    sockets: usize,
}

#[derive(Debug, Serialize)]
struct PlaceView {
    address: IpAddr,
    port: u16,
}

/// Which workloads of a mesh have which addresses.
#[derive(Debug, Default)]
pub struct Addresses(BTreeMap<IpAddr, BTreeSet<String>>);

impl Addresses {
    /// Of those to which flows lead. Workloads on other networks are not here, whatever their addresses.
    pub fn of(snapshot: &Snapshot, flows: &evermesh_sockets::Flows) -> Self {
        let mut known: BTreeMap<_, BTreeSet<_>> =
            flows.sockets.keys().map(|flow| (flow.peer.ip(), BTreeSet::new())).collect();
        for workload in snapshot.workloads().filter(|workload| workload.network.is_empty()) {
            for address in workload.addresses.iter() {
                if let Some(there) = known.get_mut(address) {
                    there.insert(workload.uid.to_string());
                }
            }
        }
        Self(known)
    }
}

impl Flows {
    /// By pod, protocol, virtual IP and peer.
    pub fn of(
        found: &evermesh_sockets::Flows,
        tables: &Tables,
        names: &Names,
        addresses: &Addresses,
    ) -> Self {
        let view = |(flow, &sockets): (&Flow, &usize)| FlowView::of(flow, sockets, tables, names, addresses);
        Self {
            generation: tables.generation,
            flows: found.sockets.iter().map(view).collect(),
            unseen: found.unseen.iter().map(ToString::to_string).collect(),
        }
    }
}

impl FlowView {
    fn of(flow: &Flow, sockets: usize, tables: &Tables, names: &Names, addresses: &Addresses) -> Self {
        let Flow { pod, protocol, through, peer } = flow;
        let meta = through.and_then(|through| {
            let service = tables.services.get(&through.service)?;
            let mut frontends = service.frontends.iter();
            let has = frontends.any(|key| socket_address(key.address, key.port) == through.frontend);
            has.then_some(service.meta)
        });
        let endpoint = through.and_then(|through| {
            let endpoint = tables.endpoints.get(&through.endpoint)?;
            let is_there = endpoint.service == through.service
                && socket_address(endpoint.address, endpoint.port) == *peer;
            is_there.then(|| names.workload(endpoint.workload))
        });
        let workloads = match endpoint {
            Some(workload) => BTreeSet::from([workload]),
            None => addresses.0.get(&peer.ip()).cloned().unwrap_or_default(),
        };
        Self {
            pod: pod.clone(),
            protocol: match protocol {
                Protocol::Tcp => "TCP",
                Protocol::Udp => "UDP",
            },
            virtual_ip: through.map(|Through { frontend, .. }| PlaceView::from(frontend)),
            service: meta.map(|meta| names.service(meta.digest)),
            service_port: meta.map(|meta| meta.port),
            address: peer.ip(),
            port: peer.port(),
            workloads,
            sockets,
        }
    }

    fn asked_for(&self) -> [String; 2] {
        match (&self.virtual_ip, &self.service, self.service_port) {
            (None, ..) => ["", ""].map(String::from),
            (Some(at), Some(service), Some(port)) => [format!("{service}:{port}"), at.to_string()],
            (Some(at), ..) => ["(gone)".to_owned(), at.to_string()],
        }
    }
}

impl From<SocketAddr> for PlaceView {
    fn from(at: SocketAddr) -> Self {
        Self { address: at.ip(), port: at.port() }
    }
}

impl fmt::Display for PlaceView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", SocketAddr::new(self.address, self.port))
    }
}

impl fmt::Display for Flows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.flows.is_empty() {
            true => f.write_str("no socket of an enrolled pod is connected")?,
            false => f.write_str(&self.table())?,
        }
        self.unseen.iter().try_for_each(|why| write!(f, "\nnot looked at: {why}"))
    }
}

impl Flows {
    fn table(&self) -> String {
        let row = |flow: &FlowView| {
            let [service, virtual_ip] = flow.asked_for();
            let place = SocketAddr::new(flow.address, flow.port).to_string();
            let workloads = flow.workloads.iter().cloned().collect::<Vec<_>>().join(", ");
            let (pod, protocol) = (flow.pod.clone(), flow.protocol.to_owned());
            [pod, protocol, service, virtual_ip, place, workloads, flow.sockets.to_string()]
        };
        let header = ["POD", "PROTOCOL", "SERVICE", "ASKED FOR", "LEADS TO", "WORKLOAD", "SOCKETS"];
        columns(header, self.flows.iter().map(row))
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use evermesh_model::{Workload, WorkloadUid};
    use evermesh_sockets::SocketsError;

    use super::*;
    use crate::command::dump::samples;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn flow(protocol: Protocol, through: Option<(&str, u32, u32)>, peer: &str) -> Flow {
        let through = through.map(|(frontend, service, endpoint)| Through {
            frontend: at(frontend),
            service,
            endpoint,
        });
        Flow { pod: "client".into(), protocol, through, peer: at(peer) }
    }

    /// Through services, of which one is gone and one has another endpoint by now; to a workload itself, to an address that two
    /// have, and out of the mesh.
    fn found() -> evermesh_sockets::Flows {
        use Protocol::{Tcp, Udp};
        let sockets = [
            (flow(Tcp, Some(("10.96.0.10:80", 1, 2)), "10.0.0.2:8080"), 12),
            (flow(Udp, Some(("10.96.0.53:53", 5, 4)), "10.0.0.9:5353"), 1),
            (flow(Tcp, Some(("10.96.0.77:80", 1, 2)), "10.0.0.2:8080"), 1),
            (flow(Tcp, None, "10.0.0.1:8080"), 3),
            (flow(Tcp, None, "192.168.0.4:9100"), 1),
            (flow(Tcp, None, "[2001:db8::1]:443"), 2),
        ];
        let source = io::Error::from(io::ErrorKind::PermissionDenied);
        let unseen = vec![SocketsError::Enter { path: "/run/netns/other".into(), source }];
        evermesh_sockets::Flows { sockets: sockets.into(), unseen }
    }

    fn addresses(found: &evermesh_sockets::Flows) -> Addresses {
        let workload = |uid: &str, address: &str, network: &str| Workload {
            uid: WorkloadUid::new(uid),
            addresses: vec![address.parse().unwrap()].into(),
            network: network.into(),
            ..Workload::default()
        };
        let workloads = [
            workload("w1", "10.0.0.1", ""),
            workload("node/a", "192.168.0.4", ""),
            workload("node/b", "192.168.0.4", ""),
            workload("far", "10.0.0.9", "elsewhere"),
        ];
        Addresses::of(&Snapshot::new([], workloads, []).unwrap(), found)
    }

    fn shown() -> Flows {
        Flows::of(&found(), &samples::tables(), &samples::names(), &addresses(&found()))
    }

    #[test]
    fn flows_are_listed_by_pod() {
        insta::assert_snapshot!(shown());
        let nothing = (evermesh_sockets::Flows::default(), Tables::default(), Names::default());
        insta::assert_snapshot!(
            "no_flows",
            Flows::of(&nothing.0, &nothing.1, &nothing.2, &Addresses::default())
        );
    }

    #[test]
    fn flows_are_listed_as_json() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&shown()).unwrap());
    }
}
