use std::{collections::BTreeMap, sync::Arc};

use evermesh_model::{Addresses, Health, Locality, Memberships, ServiceKey, SmolStr, Workload, WorkloadUid};
use evermesh_proto::workload::{self as wire, TunnelProtocol, WorkloadStatus, application_tunnel};

use super::{
    Conversion, InvalidResource, Meaning, Understood,
    address::{port, usable},
    invalid::{unknown, wrong},
};
use crate::demand::{Demand, Demands};

impl Conversion {
    pub(super) fn workload(&self, workload: wire::Workload) -> Result<Understood, InvalidResource> {
        let demands = demands(&workload);
        let wire::Workload {
            uid,
            name,
            namespace,
            addresses,
            hostname,
            network,
            node,
            canonical_revision,
            services,
            status,
            cluster_id,
            locality,
            capacity,
            // What is asked for on the way to it: see `demands`.
            tunnel_protocol: _,
            waypoint: _,
            application_tunnel: _,
            authorization_policies: _,
            // Workloads of other networks are left out, with or without a gateway.
            network_gateway: _,
            // It speaks HBONE itself, which nobody here does to it.
            native_tunnel: _,
            // Who it is, for mutual TLS.
            trust_domain: _,
            service_account: _,
            // For telemetry.
            canonical_name: _,
            workload_type: _,
            workload_name: _,
            // Its addresses are its node's, as can be seen.
            network_mode: _,
            extensions: _,
        } = workload;
        let addresses: Addresses =
            addresses.iter().map(|bytes| usable("addresses", bytes)).collect::<Result<_, _>>()?;
        let hostname = Some(hostname).filter(|hostname| !hostname.is_empty() && addresses.is_empty());
        let workload = Workload {
            uid: WorkloadUid::new(uid),
            name: name.into(),
            namespace: namespace.into(),
            addresses,
            node: node.into(),
            cluster: cluster_id.into(),
            locality: Arc::new(locality.map(place).unwrap_or_default()),
            network: self.network(network),
            health: health(status)?,
            capacity: capacity.unwrap_or(1),
            revision: canonical_revision.into(),
            services: memberships(services)?,
            withheld: self.withholds(demands),
        };
        let hostname = hostname.map(SmolStr::from);
        Ok(Understood { meaning: Meaning::Workload { workload, hostname }, demands })
    }
}

/// Policies that Istio derives from a PeerAuthentication of mode STRICT.
const STRICT: [&str; 2] = ["istio_converted_static_strict", "converted_peer_authentication_"];

fn demands(workload: &wire::Workload) -> Demands {
    let is_strict = |policy: &String| {
        let name = policy.rsplit('/').next().unwrap_or_default();
        STRICT.iter().any(|strict| name.starts_with(strict))
    };
    let (strict, own): (Vec<_>, Vec<_>) =
        workload.authorization_policies.iter().partition(|one| is_strict(one));
    let tunnel = TunnelProtocol::try_from(workload.tunnel_protocol);
    let to_application = workload
        .application_tunnel
        .as_ref()
        .is_some_and(|tunnel| tunnel.protocol != i32::from(application_tunnel::Protocol::None));
    Demands::default()
        .with(Demand::Waypoint, workload.waypoint.is_some())
        .with(Demand::StrictMtls, !strict.is_empty() || tunnel == Ok(TunnelProtocol::LegacyIstioMtls))
        .with(Demand::Policy, !own.is_empty())
        .with(Demand::ApplicationTunnel, to_application)
        .with(Demand::Tunnel, tunnel == Ok(TunnelProtocol::Hbone))
}

fn health(status: i32) -> Result<Health, InvalidResource> {
    match WorkloadStatus::try_from(status) {
        Ok(WorkloadStatus::Healthy) => Ok(Health::Healthy),
        Ok(WorkloadStatus::Unhealthy) => Ok(Health::Unhealthy),
        Err(_) => Err(unknown("status", status)),
    }
}

fn place(locality: wire::Locality) -> Locality {
    let wire::Locality { region, zone, subzone } = locality;
    Locality { region: region.into(), zone: zone.into(), subzone: subzone.into() }
}

/// What the control plane says of every port is kept, since the service may not be known yet.
fn memberships(services: BTreeMap<String, wire::PortList>) -> Result<Memberships, InvalidResource> {
    let membership = |(name, ports): (String, wire::PortList)| {
        let key = ServiceKey::try_from(name).map_err(|reason| wrong("services", reason))?;
        Ok((key, target_ports(ports)?))
    };
    services.into_iter().map(membership).collect()
}

fn target_ports(ports: wire::PortList) -> Result<BTreeMap<u16, u16>, InvalidResource> {
    let pair = |wire::Port { service_port, target_port, app_protocol: _ }| {
        let service_port = port("services.ports.service_port", service_port)?;
        Ok((service_port, port("services.ports.target_port", target_port)?))
    };
    // Istiod says 0 of a name that it did not look up, because the service has the number for another transport too.
    ports.ports.into_iter().filter(|port| port.target_port != 0).map(pair).collect()
}
