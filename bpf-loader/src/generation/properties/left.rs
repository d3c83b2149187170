//! A first start over frozen maps of another layout, which an interrupted removal has left.

use super::*;

const LEFT: [&[Table]; 3] = [&[], &[Table::Enrolled], &Table::BROUGHT];

/// Nothing hooks anything. The generation that `live` names is gone, or was never finished.
fn removed(left: &[Table], live: Option<u32>) -> World {
    let mut world = World { left: left.to_vec(), ..World::bare() };
    world.kernel.live = live;
    world.kernel.generations = BTreeMap::from([(OLD, None)]);
    world
}

#[test]
fn a_first_start_over_what_was_left_survives_every_interruption() {
    for left in LEFT {
        for live in [None, Some(OLD), Some(NEW)] {
            let world = removed(left, live);
            let moments = survive(&world, &world.recovery()).unwrap();
            assert!(moments > 500, "{moments}");
        }
    }
}

/// What a careless planner would do.
#[test]
fn a_first_start_over_what_was_left_in_a_wrong_order_is_noticed() {
    let replace = |step: &Step| matches!(step, Step::Replace { .. });
    let sweep = |step: &Step| matches!(step, Step::Sweep { .. });
    let live = |step: &Step| matches!(step, Step::MakeLive { .. });
    let world = removed(&Table::BROUGHT, Some(OLD));
    let steps = world.recovery();
    survive(&world, &swapped(steps.clone(), &replace, &sweep)).unwrap_err();
    survive(&world, &swapped(steps.clone(), &live, &sweep)).unwrap_err();
    // A number that `live` names already.
    let named = removed(&Table::BROUGHT, Some(NEW));
    survive(&named, &steps).unwrap_err();
}
