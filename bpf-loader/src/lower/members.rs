use evermesh_model::{Algorithm, Balancing, Health, HealthPolicy, Mode, Passes, Replaced, Service, Workload};

use super::{Family, LoweredEndpoint, algorithm, candidate, endpoint, meta, vips_of};

/// What changes in one service port when workloads behind it do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberChange {
    /// Of the service port.
    pub digest: u64,
    /// How a slot is picked, as the tables say it.
    pub algorithm: u8,
    /// Endpoints that leave.
    pub gone: Vec<LoweredEndpoint>,
    /// Endpoints that come.
    pub added: Vec<LoweredEndpoint>,
    /// Whether its flows may be left alone where it has no endpoints, which depends on workloads that have none here.
    pub may_pass: bool,
}

/// Lowers the change of a service of which only these workloads differ. `None`: whether and how often one endpoint is taken
/// depends on the others, so the service must be lowered as a whole.
pub fn lower_members(service: &Service, replaced: &[Replaced]) -> Option<Vec<MemberChange>> {
    let each_by_itself = is_plain(&service.balancing)
        && !service.withheld
        && !forbids_to_pass(service, replaced)
        && replaced.iter().flat_map(Replaced::both).all(|workload| weighs_one(workload));
    each_by_itself.then(|| changes(service, replaced))
}

fn is_plain(balancing: &Balancing) -> bool {
    let Balancing { algorithm, mode, health_policy, split, .. } = balancing;
    *mode == Mode::Standard
        && *algorithm != Algorithm::Maglev
        && *health_policy != HealthPolicy::PreferHealthy
        && split.is_empty()
}

/// Whether one of the workloads is withheld, which is reason enough to refuse what would be left alone.
fn forbids_to_pass(service: &Service, replaced: &[Replaced]) -> bool {
    let may_pass = service.ports.values().any(|port| port.passes == Passes::Always);
    may_pass && replaced.iter().flat_map(Replaced::both).any(|workload| workload.withheld)
}

fn weighs_one(workload: &Workload) -> bool {
    workload.capacity == 1 && workload.health != Health::Draining
}

fn changes(service: &Service, replaced: &[Replaced]) -> Vec<MemberChange> {
    let mut changes = Vec::new();
    for family in [Family::V4, Family::V6].into_iter().filter(|family| !vips_of(service, *family).is_empty())
    {
        let led = service.ports.iter().filter(|(_, port)| port.passes != Passes::Always);
        for (&number, port) in led {
            let one = |workload: &Workload| {
                let all = service.balancing.health_policy == HealthPolicy::AllowAll;
                let own = workload.services.get(&service.key)?;
                let candidate = candidate(workload, Some(own), number, port, family)?;
                (all || workload.health == Health::Healthy).then(|| endpoint((candidate, 1)))
            };
            let mut change = MemberChange {
                digest: meta(&service.key, number, family).digest,
                algorithm: algorithm(service.balancing.algorithm),
                gone: Vec::new(),
                added: Vec::new(),
                may_pass: port.passes != Passes::Never,
            };
            for replaced in replaced {
                let ends = |end: &Option<_>| end.as_deref().and_then(one);
                let (before, after) = (ends(&replaced.before), ends(&replaced.after));
                if before != after {
                    change.gone.extend(before);
                    change.added.extend(after);
                }
            }
            changes.push(change);
        }
    }
    changes
}
