//! Releases whose maps have other layouts take over from each other: fields that were added, moved, widened, renamed and
//! removed, keys that are others, and a table of another size. `variants/releases/layouts.patch` says which, and
//! `variants/wider.patch` those of the maps that programs write: for these the later release steps down before the earlier one
//! follows.

use std::{
    collections::BTreeMap,
    fs,
    panic::{self, AssertUnwindSafe},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use evermesh_chaos_tests::{
    binaries,
    oracle::{Event, Verdict},
    stage::config,
};
use evermesh_pins::{
    Inventory, MapKind, Table, TablesView,
    layout::{Carried, Change, Difference, Kernel, Layouts, MapChange, Renamed, Ways},
};

use crate::plane::{Kind, Plane, Run, Task};

const OWN: &str = "evermesh-plane";
const OTHER: &str = "evermesh-plane-layouts";

/// The numbers by which the tables know services and endpoints, by digest.
type Ids = (BTreeMap<u64, u32>, BTreeMap<u64, Vec<u32>>);

fn then(then: &'static str) -> Task {
    Task { room: Kind::Table.sizes()[0], then, end_at: None }
}

/// Before the earlier release can follow.
fn step_down(plane: &Plane) {
    plane.run_by(OTHER, then("step-down")).finished();
}

fn ids(plane: &Plane) -> Ids {
    let inventory = Inventory::read(&plane.pins()).unwrap();
    let live = inventory.live.unwrap();
    let generation = &inventory.generations[&live];
    let view = TablesView::in_ways(&plane.pins(), live, generation, Ways::to(generation)).unwrap();
    let named = |id| Some((view.service_meta(id)?.digest, id)).filter(|(digest, _)| *digest != 0);
    let services = (1..view.entries().services).filter_map(named).collect();
    let mut endpoints: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    for id in 1..view.entries().endpoints {
        let record = view.endpoint(id).unwrap();
        if record.service != 0 {
            endpoints.entry(record.workload).or_default().push(id);
        }
    }
    (services, endpoints)
}

/// The command lines of both releases enrol and remove a pod in turns, and each looks whether it is so. How often.
fn while_pods_come_and_go(plane: &Plane, act: impl FnOnce()) -> usize {
    let ended = AtomicBool::new(false);
    let own = binaries::find("evermesh").unwrap();
    let other = binaries::release_after("layouts").unwrap().join("evermesh");
    let write = || {
        let mut turn = 0;
        while turn % 4 != 0 || !ended.load(Ordering::Relaxed) {
            let command_line = [&own, &other, &other, &own][turn % 4];
            plane.enrolling(command_line, turn % 2 == 0).finished();
            turn += 1;
        }
        turn
    };
    thread::scope(|scope| {
        let writer = scope.spawn(write);
        let acted = panic::catch_unwind(AssertUnwindSafe(act));
        ended.store(true, Ordering::Relaxed);
        acted.unwrap_or_else(|panic| panic::resume_unwind(panic));
        writer.join().unwrap()
    })
}

/// Where in a change of generation: before and after it is finished, and with links that lead to both generations.
fn worst_moments(run: &Run) -> Vec<usize> {
    let forth = run.moments.iter().take_while(|moment| !moment.contains("being rolled back"));
    let forth: Vec<_> = forth.enumerate().collect();
    let at = |what: &str| {
        let found = forth.iter().filter(|(_, moment)| moment.starts_with(what));
        found.map(|(number, _)| *number).collect::<Vec<_>>()
    };
    let (finished, switched) = (at("after write the manifest"), at("after switch"));
    assert!(!finished.is_empty() && switched.len() > 2, "{:?}", run.moments);
    vec![finished[0], switched[0], switched[switched.len() / 2], switched[switched.len() - 1]]
}

#[test]
fn upgrades_and_downgrades_between_other_layouts_go_unnoticed_and_keep_ids() {
    let plane = Plane::new(Kind::Table);
    let before = ids(&plane);
    assert!(!before.0.is_empty() && !before.1.is_empty());
    let report = plane.under_traffic(|| {
        let mut events = Vec::new();
        for _ in 0..2 {
            for (kind, program, end) in [
                ("upgraded", OTHER, "commit"),
                ("stepped down", OTHER, "step-down"),
                ("downgrade rolled back", OWN, "roll-back"),
                ("downgraded", OWN, "commit"),
                ("upgrade rolled back", OTHER, "roll-back"),
            ] {
                let written = while_pods_come_and_go(&plane, || {
                    events.push(Event::during(kind, || drop(plane.run_by(program, then(end)).finished())));
                });
                assert!(written > 0, "{kind}");
                plane.settled();
                assert_eq!(ids(&plane), before, "{kind}");
            }
        }
        events
    });
    assert_eq!((report.verdict(), report.events.len()), (Verdict::Clean, 10), "{report}");
}

#[test]
fn a_change_of_layouts_that_is_cut_off_is_undone_by_the_release_before() {
    let plane = Plane::new(Kind::Table);
    let before = ids(&plane);
    let report = plane.under_traffic(|| {
        let mut events = Vec::new();
        for [old, new] in [[OWN, OTHER], [OTHER, OWN]] {
            if new == OWN {
                step_down(&plane);
            }
            let moments = worst_moments(&plane.run_by(new, then("roll-back")).finished());
            for at in moments {
                if new == OWN {
                    step_down(&plane);
                }
                let cut = Task { end_at: Some(at), ..then("commit") };
                events.push(Event::during("cut off", || drop(plane.run_by(new, cut).cut_off())));
                events.push(Event::during("undone", || drop(plane.run_by(old, then("commit")).finished())));
                plane.settled();
                assert_eq!(ids(&plane), before);
            }
            if new == OTHER {
                plane.run_by(new, then("commit")).finished();
            }
        }
        events
    });
    assert_eq!((report.verdict(), report.events.len()), (Verdict::Clean, 16), "{report}");
}

/// What is rolled back to would else lead to an endpoint that is gone until its own release starts.
#[test]
fn tables_of_another_layout_are_up_to_date_when_they_are_rolled_back_to() {
    let plane = Plane::new(Kind::Table);
    for [old, new] in [[OWN, OTHER], [OTHER, OWN]] {
        let stands = if old == OTHER { "step-down" } else { "commit" };
        plane.run_by(old, then(stands)).finished();
        let all = ids(&plane);
        fs::write(plane.mesh(), config::with(&plane.web()[1..])).unwrap();
        plane.run_by(new, then("roll-back")).finished();
        let fewer = ids(&plane);
        assert_eq!(fewer.0, all.0);
        let gone: Vec<_> = all.1.keys().filter(|workload| !fewer.1.contains_key(workload)).collect();
        assert_eq!((fewer.1.len(), gone.len()), (all.1.len() - 1, 1), "{old}");
        assert!(fewer.1.iter().all(|(workload, ids)| all.1[workload] == *ids));
        fs::write(plane.mesh(), config::with(plane.web())).unwrap();
    }
}

/// What the later release says of its layouts: it knows the names that fields had.
fn said() -> Layouts {
    let port = Renamed { table: "service_meta".into(), before: "port".into(), now: "service_port".into() };
    Layouts { renamed: vec![port], ..Layouts::default() }
}

/// Else the tests above would be about nothing.
#[test]
fn the_other_layouts_are_others_in_every_way() {
    let plane = Plane::new(Kind::Table);
    plane.run_by(OTHER, then("commit")).finished();
    let inventory = Inventory::read(&plane.pins()).unwrap();
    let generation = &inventory.generations[&inventory.live.unwrap()];
    let said = said();
    let (mut kernel, mut changes) = (Kernel::default(), BTreeMap::new());
    for table in Table::OF_GENERATION {
        let theirs = kernel.describe_table(generation, table, &generation.tables[&table]).unwrap();
        let own = table.description();
        let declared = table.declared_with([&said]);
        let difference = Difference::between(&own, &theirs, &declared);
        changes
            .insert(table, difference.fields().flat_map(|field| field.changes.clone()).collect::<Vec<_>>());
        let carried = Carried::of(table, &own, &theirs, &declared);
        assert!(matches!(carried, Carried::Rebuilt | Carried::CountedAnew), "{table}: {carried:?}");
    }
    for table in Table::BROUGHT {
        let theirs = kernel.describe_frozen(&inventory.frozen[&table].info).unwrap();
        let carried = Carried::of(table, &table.description(), &theirs, &table.declared());
        assert_eq!(carried, Carried::Migrated, "{table}");
        let map = Difference::between(&table.description(), &theirs, &table.declared()).map;
        let kind = MapChange::Kind { from: MapKind::Hash, to: MapKind::LruHash };
        assert_eq!(map.contains(&kind), table == Table::UdpOrigins, "{table}: {map:?}");
    }
    for (table, change) in [
        (Table::Endpoints, Change::Added),
        (Table::Endpoints, Change::Removed),
        (Table::Endpoints, Change::Moved),
        (Table::ServiceMeta, Change::Widened),
        (Table::ServiceMeta, Change::Renamed),
    ] {
        assert!(changes[&table].contains(&change), "{table}: {change:?} of {:?}", changes[&table]);
    }
    assert_eq!(generation.tables[&Table::Counters].info.max_entries, 32);
    assert_eq!(generation.tables[&Table::Frontends].info.layout.key_size, 24);
}
