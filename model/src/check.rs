//! What must hold of one service or one workload by itself. What must hold between them is the snapshot's.

use std::collections::BTreeSet;

use crate::{InvalidSnapshot, Service, ServiceKey, UnusableAddress, Workload};

/// Names that mean something, ports that exist, virtual IPs that can be used.
pub(crate) fn service(service: &Service) -> Result<(), InvalidSnapshot> {
    name(&service.key)?;
    ports(service)?;
    split(service)?;
    for vip in &service.vips {
        if let Some(reason) = UnusableAddress::of(vip.address) {
            let (service, vip) = (service.key.clone(), vip.clone());
            return Err(InvalidSnapshot::VirtualIpUnusable { service, vip, reason });
        }
    }
    Ok(())
}

fn name(key: &ServiceKey) -> Result<(), InvalidSnapshot> {
    if key.namespace.is_empty() || key.namespace.contains('/') || key.hostname.is_empty() {
        return Err(InvalidSnapshot::ServiceName { service: key.clone() });
    }
    Ok(())
}

fn ports(service: &Service) -> Result<(), InvalidSnapshot> {
    let key = || service.key.clone();
    for (&port, offer) in &service.ports {
        if port == 0 {
            return Err(InvalidSnapshot::ServicePortZero { service: key() });
        }
        if offer.protocols.is_empty() {
            return Err(InvalidSnapshot::ServicePortWithoutProtocol { service: key(), port });
        }
    }
    Ok(())
}

/// Each revision once, and somebody gets something.
fn split(service: &Service) -> Result<(), InvalidSnapshot> {
    let split = &service.balancing.split;
    let wrong = |reason| Err(InvalidSnapshot::ServiceSplit { service: service.key.clone(), reason });
    if !split.is_empty() && split.iter().all(|(_, share)| *share == 0) {
        return wrong("gives nothing to any revision".to_owned());
    }
    let mut seen = BTreeSet::new();
    match split.iter().find(|(revision, _)| !seen.insert(revision)) {
        Some((revision, _)) => wrong(format!("names the revision `{revision}` twice")),
        None => Ok(()),
    }
}

/// A uid, addresses that can be used, ports that exist.
pub(crate) fn workload(workload: &Workload) -> Result<(), InvalidSnapshot> {
    if workload.uid.as_str().is_empty() {
        return Err(InvalidSnapshot::WorkloadWithoutUid { name: workload.full_name() });
    }
    for &address in &workload.addresses {
        if let Some(reason) = UnusableAddress::of(address) {
            let uid = workload.uid.clone();
            return Err(InvalidSnapshot::WorkloadAddressUnusable { uid, address, reason });
        }
    }
    target_ports(workload)
}

fn target_ports(workload: &Workload) -> Result<(), InvalidSnapshot> {
    for (service, ports) in workload.services.iter() {
        name(service)?;
        if let Some((&port, &target_port)) = ports.iter().find(|(from, to)| **from == 0 || **to == 0) {
            let (uid, service) = (workload.uid.clone(), service.clone());
            return Err(InvalidSnapshot::WorkloadPortZero { uid, service, port, target_port });
        }
    }
    Ok(())
}
