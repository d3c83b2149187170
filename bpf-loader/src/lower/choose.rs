use evermesh_model::{Balancing, Health, HealthPolicy, Mode, Place, Workload};

use super::Candidate;

/// Who of the candidates is given flows, and who only keeps what it has: who drains, or is there and healthy while others are
/// taken.
#[derive(Debug, Default)]
pub(super) struct Chosen<'a> {
    pub flows: Vec<Candidate<'a>>,
    pub keeping: Vec<Candidate<'a>>,
}

/// Of the candidates in `flows`: the split decides first, then health, then place; of a strict service place before health,
/// since nobody elsewhere may be taken, whatever their health.
pub(super) fn choose<'a>(balancing: &Balancing, place: &Place, mut flows: Vec<Candidate<'a>>) -> Chosen<'a> {
    let mut keeping: Vec<_> = flows.extract_if(.., |candidate| is_draining(candidate.workload)).collect();
    let mut passed_over = Vec::new();
    if !balancing.split.is_empty() {
        passed_over.extend(flows.extract_if(.., |candidate| share(balancing, candidate.workload) == 0));
    }
    if balancing.mode == Mode::Strict {
        passed_over.extend(by_place(balancing, place, &mut flows));
    }
    by_health(balancing.health_policy, &mut flows);
    if balancing.mode == Mode::Failover {
        passed_over.extend(by_place(balancing, place, &mut flows));
    }
    passed_over
        .retain(|candidate| balancing.health_policy == HealthPolicy::AllowAll || is_healthy(candidate));
    keeping.append(&mut passed_over);
    Chosen { flows, keeping }
}

fn is_healthy(candidate: &Candidate<'_>) -> bool {
    candidate.workload.health == Health::Healthy
}

fn is_draining(workload: &Workload) -> bool {
    workload.health == Health::Draining || workload.capacity == 0
}

/// Takes out who is not well enough.
fn by_health(policy: HealthPolicy, flows: &mut Vec<Candidate<'_>>) {
    let excludes = match policy {
        HealthPolicy::OnlyHealthy => true,
        HealthPolicy::PreferHealthy => flows.iter().any(is_healthy),
        HealthPolicy::AllowAll => false,
    };
    if excludes {
        flows.retain(is_healthy);
    }
}

/// Takes out who is not near enough.
fn by_place<'a>(balancing: &Balancing, place: &Place, flows: &mut Vec<Candidate<'a>>) -> Vec<Candidate<'a>> {
    let rank = |candidate: &Candidate<'_>| {
        balancing.scopes.iter().take_while(|scope| place.shares(**scope, candidate.workload)).count()
    };
    let needed = match balancing.mode {
        Mode::Strict => balancing.scopes.len(),
        _ => flows.iter().map(rank).max().unwrap_or(0),
    };
    flows.extract_if(.., |candidate| rank(candidate) < needed).collect()
}

/// The share of the workload's revision; 0 where the split does not name it.
pub(super) fn share(balancing: &Balancing, workload: &Workload) -> u32 {
    let of_revision = balancing.split.iter().find(|(revision, _)| *revision == workload.revision);
    of_revision.map_or(0, |(_, share)| *share)
}
