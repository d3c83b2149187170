use evermesh_model::{Balancing, HealthPolicy, Mode};

use super::{
    census::{Census, Class},
    weights::{self, Part},
};

/// What each class of candidates is given. Who is not of any of them, stands nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// By class.
    classes: Vec<(Class, Chosen)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chosen {
    /// New flows.
    Flows(Part),
    /// Nothing; it keeps what it has: who drains, or is there and healthy while others are taken.
    Keeping,
}

impl Choice {
    /// What the class is given.
    pub fn of(&self, class: &Class) -> Option<Chosen> {
        Some(self.classes[self.find(class)?].1)
    }

    /// How many slots the next candidate of the class has; 0: it keeps what it has.
    pub fn next(&mut self, class: &Class) -> Option<u32> {
        let at = self.find(class)?;
        Some(match &mut self.classes[at].1 {
            Chosen::Flows(part) => part.next(),
            Chosen::Keeping => 0,
        })
    }

    fn find(&self, class: &Class) -> Option<usize> {
        self.classes.binary_search_by_key(class, |(class, _)| *class).ok()
    }

    /// The classes that take new flows.
    pub fn flows(&self) -> impl Iterator<Item = (&Class, Part)> {
        self.classes.iter().filter_map(|(class, chosen)| match chosen {
            Chosen::Flows(part) => Some((class, *part)),
            Chosen::Keeping => None,
        })
    }
}

/// The split decides first, then health, then place; of a strict service place before health, since nobody elsewhere may be
/// taken, whatever their health.
pub(super) fn choose(balancing: &Balancing, census: &Census) -> Choice {
    let mut flows: Vec<(Class, u32)> = census.iter().collect();
    let mut keeping: Vec<_> = flows.extract_if(.., |(class, _)| class.draining).collect();
    let mut passed_over = Vec::new();
    if !balancing.split.is_empty() {
        passed_over.extend(flows.extract_if(.., |(class, _)| weights::share(balancing, class) == 0));
    }
    if balancing.mode == Mode::Strict {
        passed_over.extend(by_place(balancing, &mut flows));
    }
    by_health(balancing.health_policy, &mut flows);
    if balancing.mode == Mode::Failover {
        passed_over.extend(by_place(balancing, &mut flows));
    }
    passed_over.retain(|(class, _)| balancing.health_policy == HealthPolicy::AllowAll || class.healthy);
    keeping.append(&mut passed_over);
    let parts = weights::parts(balancing, &flows);
    let flows = flows.into_iter().zip(parts).map(|((class, _), part)| (class, Chosen::Flows(part)));
    let mut classes: Vec<_> =
        flows.chain(keeping.into_iter().map(|(class, _)| (class, Chosen::Keeping))).collect();
    classes.sort_unstable_by_key(|(class, _)| *class);
    Choice { classes }
}

/// Takes out who is not well enough.
fn by_health(policy: HealthPolicy, flows: &mut Vec<(Class, u32)>) {
    let excludes = match policy {
        HealthPolicy::OnlyHealthy => true,
        HealthPolicy::PreferHealthy => flows.iter().any(|(class, _)| class.healthy),
        HealthPolicy::AllowAll => false,
    };
    if excludes {
        flows.retain(|(class, _)| class.healthy);
    }
}

/// Takes out who is not near enough.
fn by_place(balancing: &Balancing, flows: &mut Vec<(Class, u32)>) -> Vec<(Class, u32)> {
    let needed = match balancing.mode {
        Mode::Strict => u32::try_from(balancing.scopes.len()).unwrap_or(u32::MAX),
        _ => flows.iter().map(|(class, _)| class.rank).max().unwrap_or(0),
    };
    flows.extract_if(.., |(class, _)| class.rank < needed).collect()
}
