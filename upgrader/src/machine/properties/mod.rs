//! What holds whatever happens in whatever order.

mod happenings;
mod releases;
mod world;

use std::time::Duration;

use proptest::prelude::*;

use happenings::{Happening, histories};
use world::World;

use super::{Event, Settings};

/// The longest that a supervisor may be without a running agent when nothing stands in its way.
const BOUND: Duration = Duration::from_secs(3600 + 60);

proptest! {
    #[test]
    fn every_history_keeps_the_rules(takeover: bool, history in histories()) {
        let mut world = World::new(takeover);
        for happening in history {
            world.happen(happening);
        }
    }

    #[test]
    fn left_alone_every_supervisor_that_has_not_ended_has_an_agent_again(history in histories()) {
        let mut world = World::new(false);
        for happening in history {
            world.happen(happening);
        }
        (world.seat_busy, world.spawns_fail) = (false, false);
        let before = world.spawned;
        world.pass(BOUND);
        prop_assert!(world.ended.is_some() || world.agent.is_some() || world.spawned > before, "{world:?}");
    }

    #[test]
    fn told_to_end_every_supervisor_ends_within_the_time_to_stop(takeover: bool, history in histories()) {
        let mut world = World::new(takeover);
        for happening in history {
            world.happen(happening);
        }
        world.happen(Happening::Signalled(Event::Terminate));
        world.pass(Settings::default().stop_timeout);
        prop_assert!(world.ended.is_some(), "{world:?}");
    }
}
