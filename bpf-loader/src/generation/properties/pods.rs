//! A change that brings `enrolled` anew, which programs read and only user space writes.

use super::*;

/// What may be wrong in `enrolled`. Whoever writes it writes into the one in use, unless writers wait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pods {
    /// There is a new version.
    carried: bool,
    /// It may lack what was written.
    stale: bool,
}

impl Pods {
    pub fn renew(&mut self) {
        *self = Self { carried: true, stale: true };
    }

    pub fn forget(&mut self) {
        *self = Self::default();
    }

    pub fn copy(&mut self) {
        self.stale = false;
    }

    pub fn read_by(&self, programs: Programs) -> Version {
        match programs.generation() {
            OLD => Version::Old,
            _ if self.carried => Version::New,
            _ => Version::Old,
        }
    }

    /// Writers write, unless they wait; then no program may read what is not whole.
    pub fn run(&mut self, links: &Links, in_use: Version, suspended: bool) -> Result<(), String> {
        self.stale |= self.carried && in_use == Version::Old && !suspended;
        let reads_new = |at: &Programs| self.read_by(*at) == Version::New;
        match self.stale && links.values().any(reads_new) {
            true => Err("programs miss pods that were enrolled meanwhile".into()),
            false => Ok(()),
        }
    }
}

/// `enrolled` alone, and with the maps that programs write.
const KINDS: [&[Table]; 2] = [&[Table::Enrolled], &Table::BROUGHT];

fn to(carried: &[Table]) -> Programs {
    let near = Programs::Bridge(NEW, BridgeEnd::Near);
    if carried.len() > 1 { near } else { Programs::Of(NEW) }
}

fn trying(carried: &[Table]) -> Vec<Step> {
    plan::trying(&change(), &on(Programs::Of(OLD)), carried)
}

fn carried_over(carried: &[Table]) -> Vec<Step> {
    [trying(carried), plan::committing(&change(), &on(to(carried)), carried)].concat()
}

fn back(carried: &[Table]) -> Vec<Step> {
    [trying(carried), plan::rolling_back(&change(), &on(to(carried)), carried, "connections failed")].concat()
}

#[test]
fn a_change_of_enrolled_survives_every_interruption() {
    for carried in KINDS {
        for steps in [carried_over(carried), back(carried)] {
            let moments = survive(&World::with_a_generation(), &steps).unwrap();
            assert!(moments > 300, "{moments}");
        }
    }
}

#[test]
fn a_first_start_lets_go_on_who_waits() {
    let mut world = World::bare();
    world.kernel.suspended = true;
    for step in world.recovery() {
        world.perform(&step).unwrap();
    }
    world.check().unwrap();
}

#[test]
fn a_start_that_finds_nothing_but_writers_that_wait_lets_them_go_on() {
    let mut world = World::with_a_generation();
    world.kernel.suspended = true;
    assert_eq!(world.recovery(), [Step::Resume]);
}

/// What a careless planner would do.
#[test]
fn a_change_of_enrolled_in_a_wrong_order_is_noticed() {
    type Is = dyn Fn(&Step) -> bool;
    let suspend = |step: &Step| *step == Step::Suspend;
    let resume = |step: &Step| *step == Step::Resume;
    let copy = |step: &Step| matches!(step, Step::Sweep { table: Table::Enrolled, .. });
    let switch = |step: &Step| matches!(step, Step::Switch { .. });
    let replace = |step: &Step| matches!(step, Step::Replace { table: Table::Enrolled, .. });
    let remove = |step: &Step| matches!(step, Step::Remove { .. });
    for carried in KINDS {
        let (forth, back) = (carried_over(carried), back(carried));
        let moved: [(&str, &[Step], &Is, &Is); 5] = [
            ("it is copied before writers wait", &forth, &copy, &suspend),
            ("links are switched before it is copied", &forth, &switch, &copy),
            ("writers go on before it has its place", &forth, &resume, &replace),
            ("it takes its place under the generation before", &forth, &replace, &remove),
            ("writers go on before the links are back", &back, &resume, &is_back),
        ];
        for (what, steps, of, before) in moved {
            survive(&World::with_a_generation(), &swapped(steps.to_vec(), of, before)).expect_err(what);
        }
        let left_out: [(&str, &Is); 4] = [
            ("writers never wait", &suspend),
            ("it is not copied", &copy),
            ("it never takes its place", &replace),
            ("writers wait for ever", &resume),
        ];
        for (what, of) in left_out {
            let steps: Vec<_> = forth.iter().filter(|step| !of(step)).cloned().collect();
            survive(&World::with_a_generation(), &steps).expect_err(what);
        }
    }
}

fn is_back(step: &Step) -> bool {
    matches!(step, Step::Switch { to: Programs::Of(OLD), .. })
}
