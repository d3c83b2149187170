//! Candidates that are alike cannot always have as many slots each: then the first ones, in the order of their uids, have one more.

use std::ops::Bound;

use evermesh_model::{Within, WorkloadUid};

use super::{
    Candidate,
    census::{Census, Class},
    choose::{Choice, Chosen},
    weights::Part,
};

/// Of each class of which some have a slot more: the last one that has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edges(Box<[(Class, WorkloadUid)]>);

impl Edges {
    /// Of all candidates, in the order of their uids.
    pub(super) fn of<'a>(
        choice: &Choice,
        candidates: impl Iterator<Item = (&'a WorkloadUid, Class)> + Clone,
    ) -> Self {
        let rounded = choice.flows().filter(|(_, part)| part.more > 0);
        let last = rounded.filter_map(|(class, part)| {
            let mut of_class = candidates.clone().filter(|(_, other)| other == class);
            Some((*class, of_class.nth(part.more as usize - 1)?.0.clone()))
        });
        Self(last.collect())
    }

    fn of_class(&self, class: &Class) -> Option<&WorkloadUid> {
        self.0.iter().find_map(|(of, uid)| (of == class).then_some(uid))
    }

    /// How many slots this candidate of the class has.
    pub(super) fn slots(&self, chosen: Chosen, class: &Class, uid: &WorkloadUid) -> u32 {
        match chosen {
            Chosen::Keeping => 0,
            Chosen::Flows(part) => {
                part.slots + u32::from(self.of_class(class).is_some_and(|edge| uid <= edge))
            }
        }
    }
}

/// All candidates of a service port: how many there are of each class, and what they are given.
pub(super) type Counted<'a> = (&'a Census, &'a Choice);

/// What becomes of the others when some come and go.
pub(super) struct Shifted<'a> {
    /// Who of them is given a slot more or less.
    pub others: Vec<(Candidate<'a>, Class)>,
    /// Where the edges are then.
    pub edges: Edges,
}

/// Looks from where the edges were for where they are, among those of a class who are `within` two uids by now. `None`: too many others
/// are given something else.
pub(super) fn shifted<'a, M: DoubleEndedIterator<Item = Candidate<'a>>>(
    edges: &Edges,
    [was, is]: [Counted<'_>; 2],
    [left, come]: [&[(Candidate<'a>, Class)]; 2],
    within: impl Fn(Class, Within<'_>) -> M,
) -> Option<Shifted<'a>> {
    let (mut all_others, mut edges_after) = (Vec::new(), Vec::new());
    for (class, count) in is.0.iter() {
        let moved = Moved::of(class, left, come);
        let stays = count as usize > moved.come.len();
        let [had, given] = match (was.1.of(&class), is.1.of(&class)) {
            (Some(Chosen::Flows(had)), Some(Chosen::Flows(given))) if stays => {
                [(had, was.0.count(&class)), (given, count)]
            }
            (_, Some(Chosen::Flows(given))) if !stays => [(Part { more: 0, ..given }, 0), (given, count)],
            (before, after) if before == after || !stays => continue,
            _ => return None,
        };
        let shift = shift(edges.of_class(&class), [had, given], &moved, |part| within(class, part))?;
        let others = shift.members.into_iter().filter(|one| !moved.come.contains(&&one.workload.uid));
        all_others.extend(others.map(|one| (one, class)));
        edges_after.extend(shift.edge.map(|edge| (class, edge)));
    }
    Some(Shifted { others: all_others, edges: Edges(edges_after.into()) })
}

/// The uids of those of a class who come and go.
struct Moved<'a> {
    left: Vec<&'a WorkloadUid>,
    come: Vec<&'a WorkloadUid>,
}

impl<'a> Moved<'a> {
    fn of(class: Class, left: &[(Candidate<'a>, Class)], come: &[(Candidate<'a>, Class)]) -> Self {
        let [left, come] = [left, come].map(|ends| {
            let same = ends.iter().filter(|(_, other)| *other == class);
            same.map(|(candidate, _)| &candidate.workload.uid).collect()
        });
        Self { left, come }
    }
}

/// What those of a class are given, and how many they are.
type Given = (Part, u32);

/// What becomes of one class.
struct Shift<'a> {
    /// Of those who stay, and maybe of those who come: who is given a slot more or less than before.
    members: Vec<Candidate<'a>>,
    /// The last one that has a slot more than others, if some have.
    edge: Option<WorkloadUid>,
}

/// More members that are given something else are not worth to be looked for one by one.
const MOST: u32 = 64;

/// Looks for the edge of a class from where it was, and meets those on the way who have a slot more or less than before.
fn shift<'a, M: DoubleEndedIterator<Item = Candidate<'a>>>(
    edge: Option<&WorkloadUid>,
    [was, is]: [Given; 2],
    moved: &Moved<'_>,
    within: impl Fn(Within<'_>) -> M,
) -> Option<Shift<'a>> {
    let [had, wanted] = on_two_levels([was, is])?;
    let (edge, have) = match had {
        0 => (None, 0),
        all if all == was.1 => (None, is.1),
        some => {
            let edge = edge?;
            let before = |uids: &[&WorkloadUid]| uids.iter().filter(|uid| **uid <= edge).count();
            let have = (some as usize + before(&moved.come)).checked_sub(before(&moved.left))?;
            (Some(edge), u32::try_from(have).ok()?)
        }
    };
    if have.abs_diff(wanted) > MOST {
        return None;
    }
    let uid = |member: &Candidate<'_>| member.workload.uid.clone();
    let has_edge = is.0.more > 0;
    Some(if have < wanted {
        let ahead = within((edge.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded));
        let members: Vec<_> = ahead.take((wanted - have) as usize).collect();
        Shift { edge: members.last().filter(|_| has_edge).map(uid), members }
    } else {
        let mut back = within((Bound::Unbounded, edge.map_or(Bound::Unbounded, Bound::Included))).rev();
        let members = back.by_ref().take((have - wanted) as usize).collect();
        Shift { edge: if has_edge { back.next().as_ref().map(uid) } else { None }, members }
    })
}

/// How many have one slot more than the others, before and after, where nobody has any but one of the same two numbers.
fn on_two_levels([(was, before), (is, after)]: [Given; 2]) -> Option<[u32; 2]> {
    if was.slots == is.slots {
        Some([was.more, is.more])
    } else if was.slots == is.slots + 1 && was.more == 0 {
        Some([before, is.more])
    } else if was.slots + 1 == is.slots && is.more == 0 {
        Some([was.more, after])
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use evermesh_model::{
        Balancing, Changes, Delta, Place, Port, Protocol, Replaced, Service, ServiceKey, Snapshot, VirtualIp,
        Workload,
    };
    use proptest::{collection::vec, prelude::*};

    use super::{
        super::{LoweredEndpoint, LoweredPort, MemberChange, lower, lower_members},
        *,
    };

    fn service(split: &[(&str, u32)]) -> Service {
        let split = split.iter().map(|&(revision, share)| (revision.into(), share)).collect();
        Service {
            key: ServiceKey { namespace: "demo".into(), hostname: "web".into() },
            vips: vec![VirtualIp { network: String::new().into(), address: [10, 96, 0, 1].into() }],
            ports: BTreeMap::from([(80, Port::new(8080, vec![Protocol::Tcp]))]),
            balancing: Balancing { split, ..Balancing::default() },
            ..Service::default()
        }
    }

    fn workload(number: u16, revision: &str, capacity: u32) -> Workload {
        let [high, low] = number.to_be_bytes();
        Workload {
            uid: WorkloadUid::new(format!("{number:05}")),
            addresses: vec![[10, 1, high, low].into()].into(),
            services: [(service(&[]).key, BTreeMap::new())].into(),
            revision: revision.into(),
            capacity,
            ..Workload::default()
        }
    }

    fn whole(mesh: &Snapshot) -> LoweredPort {
        let (service, members) = mesh.services_with_members().next().unwrap();
        lower(service, members, &Place::default()).ports.remove(0)
    }

    fn with(mesh: &Snapshot, one: u16, workload: Option<Workload>) -> (Snapshot, Vec<Replaced>) {
        let uid = WorkloadUid::new(format!("{one:05}"));
        let workloads = vec![(uid, workload.map(Into::into))];
        let after = mesh.with(Changes { workloads, ..Changes::default() }).unwrap();
        let replaced = Delta::between(mesh, &after).workloads;
        (after, replaced)
    }

    /// What the change of these members comes to, if it is more than nothing.
    fn change(before: &LoweredPort, after: &Snapshot, replaced: &[Replaced]) -> Option<MemberChange> {
        let service = after.services().next().unwrap();
        let within = |part: Within<'_>| after.members_within(&service.key, part);
        let changes = lower_members(service, within, &Place::default(), replaced, |_| &before.weighing)?;
        changes.into_iter().next()
    }

    fn changed(before: &LoweredPort, change: &MemberChange) -> BTreeMap<u64, LoweredEndpoint> {
        let by_workload = |one: &LoweredEndpoint| (one.workload, *one);
        let mut endpoints: BTreeMap<_, _> = before.endpoints.iter().map(by_workload).collect();
        change.gone.iter().for_each(|one| assert!(endpoints.remove(&one.workload).is_some(), "{one:?}"));
        endpoints.extend(change.wanted.iter().map(by_workload));
        endpoints
    }

    /// 90/10 of 9,102 and 1,000 has no exact slots, neither with one of them less.
    #[test]
    fn who_leaves_a_canary_of_many_is_made_up_for_by_few() {
        let stable = (0..9_102).map(|number| workload(number, "v1", 1));
        let canary = (9_102..10_102).map(|number| workload(number, "v2", 1));
        let mesh = Snapshot::new([service(&[("v1", 90), ("v2", 10)])], stable.chain(canary), []).unwrap();
        let before = whole(&mesh);
        for one in [0, 9_101, 9_102, 10_101] {
            let (after, replaced) = with(&mesh, one, None);
            let change = change(&before, &after, &replaced).unwrap();
            assert_eq!(
                changed(&before, &change).into_values().collect::<BTreeSet<_>>(),
                whole(&after).endpoints.into_iter().collect()
            );
            assert!(change.wanted.len() <= 10, "{one}: {}", change.wanted.len());
        }
    }

    proptest! {
        /// Whoever comes, goes, or becomes another one, in services whose slots do and do not divide evenly.
        #[test]
        fn members_that_change_one_by_one_are_given_what_all_of_them_would_be(
            shares in prop_oneof![Just(vec![]), Just(vec![("v1", 90), ("v2", 10)]), Just(vec![("v1", 10_007), ("v2", 3)])],
            crowd in prop_oneof![Just(0), Just(700)],
            steps in vec((0u16..60, prop::option::weighted(0.7, (0usize..3, prop_oneof![Just(1u32), Just(2), Just(1009), Just(100_003)]))), 1..60),
        ) {
            let revision = |at: usize| ["v1", "v2", "v3"][at];
            let crowd = (0..crowd).map(|number| workload(1000 + number, revision(usize::from(number % 7 == 0)), 1));
            let mut mesh = Snapshot::new([service(&shares)], crowd, []).unwrap();
            let mut known = whole(&mesh);
            for (one, is) in steps {
                let (after, replaced) = with(&mesh, one, is.map(|(at, capacity)| workload(one, revision(at), capacity)));
                mesh = after;
                let wanted = whole(&mesh);
                known = match change(&known, &mesh, &replaced) {
                    Some(change) => {
                        let endpoints = changed(&known, &change);
                        let all = wanted.endpoints.iter().map(|one| (one.workload, *one)).collect();
                        prop_assert_eq!(&endpoints, &all);
                        LoweredPort { weighing: change.weighing, ..wanted }
                    }
                    None => wanted,
                };
            }
        }
    }
}
