use std::net::IpAddr;

use evermesh_model::{Balancing, Health, HealthPolicy, Mode, Place, Workload};

use crate::Ratio;

/// A workload that can be reached, and where.
pub(crate) type Able<'a> = (&'a Workload, (IpAddr, u16));

/// Who may be taken. The split has the first word, then health, then place; where only who is here may be taken, place
/// before health.
pub(crate) fn choose<'a>(balancing: &Balancing, place: &Place, able: Vec<Able<'a>>) -> Vec<Able<'a>> {
    let mut named = able;
    named.retain(|(workload, _)| takes_new_flows(workload));
    named.retain(|(workload, _)| share_of_revision(balancing, &workload.revision) > 0);
    let here = if balancing.mode == Mode::Strict { near_enough(balancing, place, named) } else { named };
    near_enough(balancing, place, well_enough(balancing.health_policy, here))
}

fn takes_new_flows(workload: &Workload) -> bool {
    workload.health != Health::Draining && workload.capacity > 0
}

/// Where nothing is split, each revision is as good as another.
fn share_of_revision(balancing: &Balancing, revision: &str) -> u32 {
    if balancing.split.is_empty() {
        return 1;
    }
    balancing.split.iter().filter(|(named, _)| named == revision).map(|(_, share)| share).sum()
}

fn well_enough(policy: HealthPolicy, all: Vec<Able<'_>>) -> Vec<Able<'_>> {
    let healthy: Vec<Able<'_>> =
        all.iter().copied().filter(|(workload, _)| workload.health == Health::Healthy).collect();
    match policy {
        HealthPolicy::OnlyHealthy => healthy,
        HealthPolicy::PreferHealthy if healthy.is_empty() => all,
        HealthPolicy::PreferHealthy => healthy,
        HealthPolicy::AllowAll => all,
    }
}

fn near_enough<'a>(balancing: &Balancing, place: &Place, all: Vec<Able<'a>>) -> Vec<Able<'a>> {
    let shared = |(workload, _): &Able<'a>| {
        let differs = balancing.scopes.iter().position(|scope| !place.shares(*scope, workload));
        differs.unwrap_or(balancing.scopes.len())
    };
    let nearest = all.iter().map(shared).max();
    match balancing.mode {
        Mode::Standard | Mode::Passthrough => all,
        Mode::Strict => all.into_iter().filter(|one| shared(one) == balancing.scopes.len()).collect(),
        Mode::Failover => all.into_iter().filter(|one| Some(shared(one)) == nearest).collect(),
    }
}

/// The part of the revision of one that was chosen, among the revisions that are left. Without a split there is one revision,
/// of all.
pub(crate) fn share_of_all(balancing: &Balancing, chosen: &[Able<'_>], one: &Workload) -> Ratio {
    if balancing.split.is_empty() {
        return Ratio::new(1, 1);
    }
    let is_left = |revision: &str| chosen.iter().any(|(peer, _)| peer.revision == revision);
    let left = balancing.split.iter().filter(|(revision, _)| is_left(revision));
    let shares: u128 = left.map(|(_, share)| u128::from(*share)).sum();
    Ratio::new(share_of_revision(balancing, &one.revision).into(), shares)
}

/// Its own part among the capacities of its revision.
pub(crate) fn share_among_peers(balancing: &Balancing, chosen: &[Able<'_>], one: &Workload) -> Ratio {
    let is_split = !balancing.split.is_empty();
    let peers = chosen.iter().filter(|(peer, _)| !is_split || peer.revision == one.revision);
    let capacities: u128 = peers.map(|(peer, _)| u128::from(peer.capacity)).sum();
    Ratio::new(one.capacity.into(), capacities)
}
