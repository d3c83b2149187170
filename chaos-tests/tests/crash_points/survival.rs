//! What was planned to be survived, and what was, step by step.

use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, Instant},
};

use evermesh_chaos_tests::oracle::{Event, Verdict};

use crate::plane::Plane;

/// A run of traffic is judged when it ends. It must not go on for longer than clients do by themselves, however slow the machine.
const AT_ONCE: Duration = Duration::from_mins(2);

/// Does that at each point under traffic, which does not notice: one run of it after the other.
pub fn survive<P>(
    plane: &Plane,
    points: &[P],
    kind_of: impl Fn(&P) -> String,
    mut disturb: impl FnMut(&P) -> Vec<Event>,
) {
    let mut survival = Survival::of(points.iter().map(&kind_of));
    let mut left = points.iter().peekable();
    while left.peek().is_some() {
        let (began, mut seen) = (Instant::now(), Vec::new());
        let report = plane.under_traffic(|| {
            let mut events = Vec::new();
            while let Some(point) = left.next_if(|_| began.elapsed() < AT_ONCE) {
                events.extend(disturb(point));
                seen.push(kind_of(point));
            }
            events
        });
        println!("{report}");
        assert_eq!(report.verdict(), Verdict::Clean, "{report}");
        seen.iter().for_each(|kind| survival.survived(kind));
        println!("{}", survival.so_far());
    }
}

/// Of each kind so many. It is said when this is dropped, also where a test fails: what came after that is not survived.
pub struct Survival(BTreeMap<String, Count>);

#[derive(Clone, Copy, Default)]
struct Count {
    planned: usize,
    survived: usize,
}

impl Survival {
    /// Nothing of that is survived yet.
    pub fn of(planned: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut counts = BTreeMap::<_, Count>::new();
        planned.into_iter().for_each(|what| counts.entry(what.into()).or_default().planned += 1);
        Self(counts)
    }

    /// One of them is.
    pub fn survived(&mut self, what: &str) {
        self.0.entry(what.to_owned()).or_default().survived += 1;
    }

    /// Of all kinds.
    pub fn so_far(&self) -> impl fmt::Display {
        self.0.values().fold(Count::default(), |sum, count| Count {
            planned: sum.planned + count.planned,
            survived: sum.survived + count.survived,
        })
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "survived {} of {}", self.survived, self.planned)
    }
}

impl Drop for Survival {
    fn drop(&mut self) {
        self.0.iter().for_each(|(kind, count)| println!("  {kind}: {count}"));
        println!("{}", self.so_far());
    }
}

#[test]
fn what_is_planned_and_what_is_survived_are_counted_apart() {
    let mut survival = Survival::of(["before fill", "after switch", "after switch"]);
    survival.survived("after switch");
    assert_eq!(survival.so_far().to_string(), "survived 1 of 3");
    let kinds: Vec<_> = survival.0.iter().map(|(kind, count)| format!("{kind}: {count}")).collect();
    assert_eq!(kinds, ["after switch: survived 1 of 2", "before fill: survived 0 of 1"]);
}
