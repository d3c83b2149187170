//! A change that brings frozen maps anew.

use super::*;

const NEAR: Programs = Programs::Bridge(NEW, BridgeEnd::Near);
const FAR: Programs = Programs::Bridge(NEW, BridgeEnd::Far);
const OWN: Programs = Programs::Of(NEW);

fn up() -> Vec<Step> {
    plan::trying(&change(), &on(Programs::Of(OLD)), &Table::CARRIED)
}

fn migration() -> Vec<Step> {
    [up(), plan::committing(&change(), &on(NEAR), &Table::CARRIED)].concat()
}

fn back() -> Vec<Step> {
    [up(), plan::rolling_back(&change(), &on(NEAR), &Table::CARRIED, "connections failed")].concat()
}

fn survives(steps: &[Step]) -> Result<usize, String> {
    survive(&World::with_a_generation(), steps)
}

#[test]
fn a_migration_survives_every_interruption() {
    let moments = survives(&migration()).unwrap();
    assert!(moments > 800, "{moments}");
}

#[test]
fn a_migration_that_is_rolled_back_survives_every_interruption() {
    let moments = survives(&back()).unwrap();
    assert!(moments > 800, "{moments}");
}

/// The journal is expendable: what it alone says is whether a change was committed that `live` does not name yet.
#[test]
fn a_migration_survives_the_loss_of_its_journal() {
    for steps in [migration(), back()] {
        let mut world = World::with_a_generation();
        for step in &steps {
            world.perform(step).unwrap();
            let said = world.committed && world.kernel.live == Some(OLD);
            let mut lost =
                World { journal: Journal::default(), committed: world.committed && !said, ..world.clone() };
            for step in lost.recovery() {
                lost.perform(&step).unwrap();
            }
            lost.check().unwrap();
        }
    }
}

/// What a careless planner would do.
#[test]
fn a_migration_in_a_wrong_order_is_noticed() {
    type Is = dyn Fn(&Step) -> bool;
    let switch = |hook: Hook, to| move |step: &Step| matches!(step, Step::Switch { hook: at, to: found, .. } if *at == hook && *found == to);
    let any = |to| move |step: &Step| matches!(step, Step::Switch { to: found, .. } if *found == to);
    let word = |step: &Step| *step == Step::Record(Entry::Reached(Stage::Committed));
    let replace = |step: &Step| matches!(step, Step::Replace { .. });
    let sweep = |step: &Step| matches!(step, Step::Sweep { .. });
    let barrier = |step: &Step| *step == Step::Barrier;
    let remove = |step: &Step| matches!(step, Step::Remove { .. });
    let bridge_goes = |step: &Step| matches!(step, Step::RemoveBridge { .. });
    let carried = |step: &Step| matches!(step, Step::PinCarried { .. });
    let bridge_comes = |step: &Step| matches!(step, Step::MakeBridge { .. });
    let moved: [(&str, &Is, &Is); 9] = [
        (
            "a link is at its end before all have crossed",
            &switch(Hook::Connect4, OWN),
            &switch(Hook::Connect6, FAR),
        ),
        ("the far end is reached before the sweep", &switch(Hook::RecvMsg4, FAR), &sweep),
        (
            "the last to release is the first to write",
            &switch(Hook::Connect4, NEAR),
            &switch(Hook::SockRelease, NEAR),
        ),
        ("a map takes its place before the links have crossed", &replace, &any(FAR)),
        ("a map takes its place under the generation before", &replace, &remove),
        ("a map takes its place under the bridge", &replace, &bridge_goes),
        ("the bridge goes under traffic", &bridge_goes, &any(OWN)),
        ("links cross before the word is on the disk", &any(FAR), &word),
        ("a bridge to nowhere", &bridge_comes, &carried),
    ];
    for (what, of, before) in moved {
        survives(&swapped(migration(), of, before)).expect_err(what);
    }
    let left_out: [(&str, &Is); 5] = [
        ("no word on the disk", &word),
        ("no sweep", &sweep),
        ("no barrier", &barrier),
        ("a map that never takes its place", &replace),
        ("a bridge that stays", &bridge_goes),
    ];
    for (what, of) in left_out {
        let steps: Vec<_> = migration().into_iter().filter(|step| !of(step)).collect();
        survives(&steps).expect_err(what);
    }
    let skipped = |step: Step| match step {
        Step::Switch { hook, from: FAR, to } => Step::Switch { hook, from: NEAR, to },
        other => other,
    };
    let one_end: Vec<_> = migration().into_iter().filter(|step| !any(FAR)(step)).map(skipped).collect();
    survives(&one_end).expect_err("a bridge with one end");
}
