use std::{ops::Bound, sync::Arc};

use evermesh_model::{
    Algorithm, Balancing, Health, HealthPolicy, Mode, Passes, Place, Port, Replaced, Service, Within,
    Workload,
};

use super::{
    Candidate, Family, LoweredEndpoint, algorithm, candidate,
    census::{Census, Class, drains},
    choose::{Choice, choose},
    classed, endpoint, meta,
    rounding::{Counted, Edges, shifted},
    turns::Turns,
    vips_of,
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
    /// Where endpoints take turns and some have more than one slot: how many have each number of slots before the change.
    pub turns: Turns,
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
    /// The candidates by their classes, and where those end that have a slot more than others.
    Counted(Census, Edges),
    /// There are hardly fewer classes than endpoints.
    Various,
}

impl Weighing {
    /// So many candidates are counted before anybody needs to know.
    const MANY: usize = 64;
    /// More classes are not worth to be looked through.
    const MOST_CLASSES: usize = 64;

    fn counted(census: Census, edges: Edges) -> Self {
        if census.classes() > Self::MOST_CLASSES { Self::Various } else { Self::Counted(census, edges) }
    }

    /// Of all candidates of a service port, in the order of their uids, as they are balanced.
    pub(super) fn of(
        balancing: &Balancing,
        census: Census,
        choice: &Choice,
        candidates: &[(Candidate<'_>, Class)],
    ) -> Self {
        let weigh_one = || choice.flows().all(|(class, _)| class.capacity == 1);
        if candidates.len() < Self::MANY && is_plain(balancing) && weigh_one() {
            return Self::One;
        }
        let uids = candidates.iter().map(|(candidate, class)| (&candidate.workload.uid, *class));
        Self::counted(census, Edges::of(choice, uids))
    }
}

/// Lowers the change of a service of which only these workloads differ. `weighing` is what is known of its ports, and `members`
/// are those behind it now, `within` two uids. `None`: many others are concerned, so the service must be lowered as a whole.
pub fn lower_members<'a, 'w, M: DoubleEndedIterator<Item = &'a Arc<Workload>>>(
    service: &Service,
    members: impl Fn(Within<'_>) -> M,
    place: &Place,
    replaced: &'a [Replaced],
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
                Weighing::Counted(census, edges) => {
                    behind.by_class(replaced, Some((census, edges)), &members)?
                }
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
    workload.capacity == 1 || drains(workload)
}

/// A service port, behind which something changes.
struct Behind<'a> {
    service: &'a Service,
    place: &'a Place,
    port: (u16, &'a Port),
    family: Family,
}

impl Behind<'_> {
    /// More places in a round are not worth to be looked at for a few endpoints.
    const MOST_TURNS: u32 = 64;

    /// None of which changes anything for the others.
    fn one_by_one(&self, replaced: &[Replaced]) -> MemberChange {
        let all = self.service.balancing.health_policy == HealthPolicy::AllowAll;
        let one = |workload: &Arc<Workload>| {
            let own = workload.services.get(&self.service.key)?;
            let candidate = candidate(workload, Some(own), self.port.0, self.port.1, self.family)?;
            match drains(workload) {
                true => Some(endpoint(&candidate, 0)),
                false => (all || workload.health == Health::Healthy).then(|| endpoint(&candidate, 1)),
            }
        };
        let ends = replaced
            .iter()
            .map(|Replaced { before, after }| [before, after].map(|end| end.as_ref().and_then(one)));
        MemberChange {
            may_pass: self.port.1.passes != Passes::Never,
            weighing: Weighing::One,
            ..self.change(ends)
        }
    }

    /// Given how many of each class there were, and where those end that had more, or else how many there are by now. `None`: too many
    /// of those who stay are given something else than before.
    fn by_class<'a, M: DoubleEndedIterator<Item = &'a Arc<Workload>>>(
        &self,
        replaced: &'a [Replaced],
        counted: Option<(&Census, &Edges)>,
        members: impl Fn(Within<'_>) -> M,
    ) -> Option<MemberChange> {
        let ends: Vec<Ends<'_>> = replaced.iter().map(|one| self.ends(one)).collect();
        let [left, come] = [0, 1].map(|end| ends.iter().filter_map(|ends| ends[end]).collect::<Vec<_>>());
        let [gone, new] = [&left, &come].map(|ends| ends.iter().map(|(_, class)| *class));
        let (found, no_edges);
        let (before, edges, after) = match counted {
            Some((census, edges)) => (census, edges, census.with(gone, new)),
            None => {
                let all = members((Bound::Unbounded, Bound::Unbounded));
                let after: Census = all.filter_map(|one| Some(self.classed(one)?.1)).collect();
                (found, no_edges) = (after.with(new, gone), Edges::default());
                (&found, &no_edges, after)
            }
        };
        let [was, is] = [before, &after].map(|census| choose(&self.service.balancing, census));
        if ![&was, &is].into_iter().all(|choice| self.leads_somewhere(choice)) {
            return None;
        }
        let turns = self.turns([(before, &was), (&after, &is)])?;
        let within = |class: Class, part: Within<'_>| {
            let classed = members(part).filter_map(|one| self.classed(one));
            classed.filter(move |(_, other)| *other == class).map(|(candidate, _)| candidate)
        };
        let shifted = shifted(edges, [(before, &was), (&after, &is)], [&left, &come], within)?;
        let slots = |(candidate, class): &(Candidate<'a>, Class), choice: &Choice, edges: &Edges| {
            let slots = edges.slots(choice.of(class)?, class, &candidate.workload.uid);
            Some(endpoint(candidate, slots))
        };
        let ends = ends.iter().map(|[from, to]| {
            let from = from.as_ref().and_then(|from| slots(from, &was, edges));
            [from, to.as_ref().and_then(|to| slots(to, &is, &shifted.edges))]
        });
        let mut change = self.change(ends);
        change.wanted.extend(shifted.others.iter().filter_map(|one| slots(one, &is, &shifted.edges)));
        Some(MemberChange { turns, weighing: Weighing::counted(after, shifted.edges), ..change })
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

    /// Whether somebody has a slot, where flows may be left alone if nobody has.
    fn leads_somewhere(&self, choice: &Choice) -> bool {
        let may_pass = self.port.1.passes != Passes::Never && self.port.1.target_port == 0;
        !may_pass || choice.flows().next().is_some()
    }

    /// How many had each number of slots, where it matters which ones. `None`: there are too many numbers, or nobody was
    /// there.
    fn turns(&self, counted: [Counted<'_>; 2]) -> Option<Turns> {
        let [was, is] = counted.map(|(census, choice)| {
            let of_class = |(class, part): (&Class, Part)| {
                [(part.slots, census.count(class) - part.more), (part.slots + 1, part.more)]
            };
            choice.flows().flat_map(of_class).collect::<Turns>()
        });
        let in_order = self.service.balancing.algorithm == Algorithm::RoundRobin;
        let numbers = || was.iter().chain(is.iter()).map(|(slots, _)| slots);
        if !in_order || numbers().all(|slots| slots == 1) {
            return Some(Turns::default());
        }
        (!was.is_empty() && numbers().sum::<u32>() <= Self::MOST_TURNS).then_some(was)
    }

    fn change(&self, ends: impl Iterator<Item = [Option<LoweredEndpoint>; 2]>) -> MemberChange {
        let mut change = MemberChange {
            digest: meta(&self.service.key, self.port.0, self.family).digest,
            algorithm: algorithm(self.service.balancing.algorithm),
            gone: Vec::new(),
            wanted: Vec::new(),
            turns: Turns::default(),
            may_pass: false,
            weighing: Weighing::Unknown,
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
