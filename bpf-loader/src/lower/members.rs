use std::sync::Arc;

use evermesh_model::{
    Algorithm, Balancing, Health, HealthPolicy, Mode, Passes, Place, Port, Replaced, Service, Workload,
};

use super::{
    Candidate, Family, LoweredEndpoint, algorithm, candidate,
    census::{Census, Class},
    choose::{Choice, choose},
    classed, endpoint, meta, vips_of,
    weights::Part,
};

/// What changes in one service port when workloads behind it do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberChange {
    /// Of the service port.
    pub digest: u64,
    /// How a slot is picked, as the tables say it.
    pub algorithm: u8,
    /// Endpoints that leave.
    pub gone: Vec<LoweredEndpoint>,
    /// Endpoints that come, or are given other slots.
    pub wanted: Vec<LoweredEndpoint>,
    /// Whether its flows may be left alone where it has no endpoints, which depends on workloads that have none here.
    pub may_pass: bool,
    /// How those weigh who stand behind it from now on.
    pub weighing: Weighing,
}

/// What is known of those behind a service port, as far as it decides what becomes of another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Weighing {
    /// Nothing: they were found in the tables.
    #[default]
    Unknown,
    /// Everyone who is given flows has a capacity of 1, which one slot each does not tell, and none depends on others.
    One,
    /// The candidates by their classes.
    Counted(Census),
    /// There are hardly fewer classes than endpoints.
    Various,
}

impl Weighing {
    /// More classes are not worth to be looked through.
    const MOST_CLASSES: usize = 64;

    fn counted(census: Census) -> Self {
        if census.classes() > Self::MOST_CLASSES { Self::Various } else { Self::Counted(census) }
    }

    /// Of all candidates of a service port, as they are balanced.
    pub(super) fn of(balancing: &Balancing, census: Census, choice: &Choice) -> Self {
        let weigh_one = || choice.flows().all(|(class, _)| class.capacity == 1);
        if is_plain(balancing) && weigh_one() { Self::One } else { Self::counted(census) }
    }
}

/// Lowers the change of a service of which only these workloads differ. `weighing` is what is known of its ports, and `members`
/// are those behind it now. `None`: others are concerned, so the service must be lowered as a whole.
pub fn lower_members<'a, 'w, M: Iterator<Item = &'a Arc<Workload>>>(
    service: &Service,
    members: impl Fn() -> M,
    place: &Place,
    replaced: &[Replaced],
    weighing: impl Fn(u64) -> &'w Weighing,
) -> Option<Vec<MemberChange>> {
    let Balancing { algorithm, mode, .. } = service.balancing;
    let is_led = mode != Mode::Passthrough && !service.withheld && !forbids_to_pass(service, replaced);
    if !is_led || algorithm == Algorithm::Maglev {
        return None;
    }
    let each_by_itself = is_plain(&service.balancing)
        && replaced.iter().flat_map(Replaced::both).all(|workload| weighs_one(workload));
    let mut changes = Vec::new();
    for family in [Family::V4, Family::V6].into_iter().filter(|family| !vips_of(service, *family).is_empty())
    {
        for (&number, port) in service.ports.iter().filter(|(_, port)| port.passes != Passes::Always) {
            let behind = Behind { service, place, port: (number, port), family };
            changes.push(match weighing(meta(&service.key, number, family).digest) {
                Weighing::Unknown | Weighing::Various => return None,
                Weighing::One if each_by_itself => behind.one_by_one(replaced),
                Weighing::One => behind.by_class(replaced, None, &members)?,
                Weighing::Counted(census) => behind.by_class(replaced, Some(census), &members)?,
            });
        }
    }
    Some(changes)
}

/// Whether one of the workloads is withheld, which is reason enough to refuse what would be left alone.
fn forbids_to_pass(service: &Service, replaced: &[Replaced]) -> bool {
    let may_pass = service.ports.values().any(|port| port.passes == Passes::Always);
    may_pass && replaced.iter().flat_map(Replaced::both).any(|workload| workload.withheld)
}

/// Whether what becomes of one does not depend on the others, as long as all weigh one.
fn is_plain(balancing: &Balancing) -> bool {
    let Balancing { mode, health_policy, split, .. } = balancing;
    *mode == Mode::Standard && *health_policy != HealthPolicy::PreferHealthy && split.is_empty()
}

fn weighs_one(workload: &Workload) -> bool {
    workload.capacity == 1 && workload.health != Health::Draining
}

/// A service port, behind which something changes.
struct Behind<'a> {
    service: &'a Service,
    place: &'a Place,
    port: (u16, &'a Port),
    family: Family,
}

impl Behind<'_> {
    /// None of which changes anything for the others.
    fn one_by_one(&self, replaced: &[Replaced]) -> MemberChange {
        let all = self.service.balancing.health_policy == HealthPolicy::AllowAll;
        let one = |workload: &Arc<Workload>| {
            let own = workload.services.get(&self.service.key)?;
            let candidate = candidate(workload, Some(own), self.port.0, self.port.1, self.family)?;
            (all || workload.health == Health::Healthy).then(|| endpoint(&candidate, 1))
        };
        let ends = replaced
            .iter()
            .map(|Replaced { before, after }| [before, after].map(|end| end.as_ref().and_then(one)));
        MemberChange { may_pass: self.port.1.passes != Passes::Never, ..self.change(ends, Weighing::One) }
    }

    /// Given how many of each class there were, or else how many there are by now. `None`: somebody of a class that stays is
    /// given something else than before, or not the same as others of its class.
    fn by_class<'a, M: Iterator<Item = &'a Arc<Workload>>>(
        &self,
        replaced: &[Replaced],
        counted: Option<&Census>,
        members: impl Fn() -> M,
    ) -> Option<MemberChange> {
        let ends: Vec<Ends<'_>> = replaced.iter().map(|one| self.ends(one)).collect();
        let [left, come] = [0, 1].map(|end| ends.iter().filter_map(move |ends| Some(ends[end]?.1)));
        let found;
        let (before, after) = match counted {
            Some(census) => (census, census.with(left.clone(), come)),
            None => {
                let after: Census = members().filter_map(|one| Some(self.classed(one)?.1)).collect();
                found = after.with(come, left.clone());
                (&found, after)
            }
        };
        let [was, is] = [before, &after].map(|census| choose(&self.service.balancing, census));
        let stays =
            |(class, count): &(Class, u32)| *count as usize > left.clone().filter(|it| it == class).count();
        let as_before = before.iter().filter(stays).all(|(class, _)| was.of(&class) == is.of(&class));
        if !as_before || ![&was, &is].into_iter().all(|choice| self.can_be_exchanged(choice)) {
            return None;
        }
        let ends = ends.iter().map(|[from, to]| {
            [(from, &was), (to, &is)].map(|(end, choice)| {
                let (candidate, class) = end.as_ref()?;
                Some(endpoint(candidate, choice.of(class)?.slots()))
            })
        });
        Some(self.change(ends, Weighing::counted(after)))
    }

    fn ends<'a>(&self, Replaced { before, after }: &'a Replaced) -> Ends<'a> {
        [before, after].map(|end| {
            let workload = end.as_ref().filter(|it| it.services.contains_key(&self.service.key))?;
            self.classed(workload)
        })
    }

    fn classed<'a>(&self, member: &'a Workload) -> Option<(Candidate<'a>, Class)> {
        classed(member, self.service, self.place, self.port, self.family)
    }

    /// Whether all of a class have as many slots, which may be anywhere; and somebody has one, where flows may be left alone if
    /// nobody has.
    fn can_be_exchanged(&self, choice: &Choice) -> bool {
        let in_order = self.service.balancing.algorithm == Algorithm::RoundRobin;
        let anywhere = |part: Part| part.more == 0 && (!in_order || part.slots <= 1);
        let may_pass = self.port.1.passes != Passes::Never && self.port.1.target_port == 0;
        choice.flows().all(|(_, part)| anywhere(part)) && (!may_pass || choice.flows().next().is_some())
    }

    fn change(
        &self,
        ends: impl Iterator<Item = [Option<LoweredEndpoint>; 2]>,
        weighing: Weighing,
    ) -> MemberChange {
        let mut change = MemberChange {
            digest: meta(&self.service.key, self.port.0, self.family).digest,
            algorithm: algorithm(self.service.balancing.algorithm),
            gone: Vec::new(),
            wanted: Vec::new(),
            may_pass: false,
            weighing,
        };
        for [from, to] in ends.filter(|[from, to]| from != to) {
            change.gone.extend(from.filter(|from| to.is_none_or(|to| to.identity() != from.identity())));
            change.wanted.extend(to);
        }
        change
    }
}

/// A workload as it was and as it is, where it was and is a candidate.
type Ends<'a> = [Option<(Candidate<'a>, Class)>; 2];
