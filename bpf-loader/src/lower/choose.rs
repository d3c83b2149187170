use evermesh_model::{Balancing, Health, HealthPolicy, Mode, Place, Workload};

use super::Candidate;

/// Who of the candidates is given flows, and who only keeps what it has.
#[derive(Debug, Default)]
pub(super) struct Chosen<'a> {
    pub flows: Vec<Candidate<'a>>,
    pub draining: Vec<Candidate<'a>>,
}

/// Of the candidates in `flows`: the split decides first, then health, then place.
pub(super) fn choose<'a>(balancing: &Balancing, place: &Place, mut flows: Vec<Candidate<'a>>) -> Chosen<'a> {
    let draining = flows.extract_if(.., |candidate| is_draining(candidate.workload)).collect();
    if !balancing.split.is_empty() {
        flows.retain(|candidate| share(balancing, candidate.workload) > 0);
    }
    by_health(balancing.health_policy, &mut flows);
    by_place(balancing, place, &mut flows);
    Chosen { flows, draining }
}

fn is_draining(workload: &Workload) -> bool {
    workload.health == Health::Draining || workload.capacity == 0
}

fn by_health(policy: HealthPolicy, flows: &mut Vec<Candidate<'_>>) {
    let is_healthy = |candidate: &Candidate<'_>| candidate.workload.health == Health::Healthy;
    let excludes = match policy {
        HealthPolicy::OnlyHealthy => true,
        HealthPolicy::PreferHealthy => flows.iter().any(is_healthy),
        HealthPolicy::AllowAll => false,
    };
    if excludes {
        flows.retain(is_healthy);
    }
}

fn by_place(balancing: &Balancing, place: &Place, flows: &mut Vec<Candidate<'_>>) {
    let rank = |candidate: &Candidate<'_>| {
        balancing.scopes.iter().take_while(|scope| place.shares(**scope, candidate.workload)).count()
    };
    let needed = match balancing.mode {
        Mode::Standard | Mode::Passthrough => 0,
        Mode::Strict => balancing.scopes.len(),
        Mode::Failover => flows.iter().map(rank).max().unwrap_or(0),
    };
    if needed > 0 {
        flows.retain(|candidate| rank(candidate) >= needed);
    }
}

/// The share of the workload's revision; 0 where the split does not name it.
pub(super) fn share(balancing: &Balancing, workload: &Workload) -> u32 {
    let of_revision = balancing.split.iter().find(|(revision, _)| *revision == workload.revision);
    of_revision.map_or(0, |(_, share)| *share)
}
