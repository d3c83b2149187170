//! There is no room for the newest configuration.

use evermesh_model::{Service, ServiceKey, Workload, WorkloadUid};

use super::*;

/// A mesh of one service and these workloads behind it, of these behind none, and of these other services.
fn crowd(digest: u8, members: &[&str], idle: &[&str], others: &[&str]) -> Arc<LastApplied> {
    let key = |host: &str| ServiceKey { namespace: "demo".into(), hostname: host.into() };
    let service = |host: &&str| Service { key: key(host), ..Service::default() };
    let idle = idle.iter().map(|uid| Workload { uid: WorkloadUid::new(uid), ..Workload::default() });
    let member = |uid: &&str| Workload {
        uid: WorkloadUid::new(uid),
        services: [(key("web"), BTreeMap::new())].into(),
        ..Workload::default()
    };
    let services = ["web"].iter().chain(others).map(service);
    let snapshot = Snapshot::new(services, members.iter().map(member).chain(idle), []).unwrap();
    Arc::new(LastApplied { snapshot, ..record(digest).as_ref().clone() })
}

fn read(found: &LastApplied) -> Event {
    let (snapshot, digest) = (found.snapshot.clone(), found.digest);
    Event::Read(Ok(Found::New(Box::new(Loaded { snapshot, digest, warnings: vec![], files: vec![] }))))
}

fn full() -> Event {
    Event::Applied(Err(NotApplied::Full("no room".into())))
}

/// Endpoints that were gone were given flows for as long as a table was full, since nothing of the newest configuration was followed.
#[test]
fn where_there_is_no_room_it_is_followed_who_comes_and_goes_and_that_is_kept() {
    let (mut core, _) =
        Core::new(Beginning { applied: Some(crowd(1, &["a", "b"], &[], &[])), ..beginning() });
    core.on(destroyed(0), NOW);
    let (newest, narrowed) = (crowd(2, &["b", "c", "d"], &[], &["new"]), crowd(0, &["b", "c"], &["d"], &[]));
    core.on(Event::Reload(7), NOW);
    assert_eq!(core.on(read(&newest), NOW), [Action::Apply(newest.clone())]);
    assert_eq!(core.on(full(), NOW), [Action::Apply(narrowed.clone())]);
    let actions = core.on(Event::Applied(Ok(counts(4))), NOW);
    assert_eq!(warnings(&actions).len(), 1);
    let refused = core.status().refused.unwrap();
    assert!(refused.reason.starts_with("no room; until then"), "{refused:?}");
    let done = deeds(actions);
    assert!(matches!(done.last(), Some(Action::Answer(7, Outcome::Refused(_)))), "{done:?}");
    let kept = [Action::Save(narrowed), Action::Do(Chore::Reclaim), Action::Do(Chore::Orphans)];
    assert_eq!(done[..3], kept);
    // Each audit tries again, which changes nothing and is not told again.
    core.on(Event::Saved(Ok(())), NOW);
    assert!(core.on(Event::Audit, NOW).contains(&read_unless(0)));
    core.on(read(&newest), NOW);
    assert_eq!(core.on(full(), NOW), []);
    // A pod that ends before the next one starts frees its place.
    for (members, idle) in [(&["c"][..], &[][..]), (&["b", "c"], &["d"])] {
        let newest = crowd(3, &[members, idle].concat(), &[], &["new"]);
        core.on(Event::Changed, NOW);
        core.on(read(&newest), NOW);
        assert_eq!(core.on(full(), NOW), [Action::Apply(crowd(0, members, idle, &[]))]);
        core.on(Event::Applied(Ok(counts(1))), NOW);
    }
    // What was applied before is not what stands.
    let before = crowd(1, &["a", "b"], &[], &[]);
    core.on(Event::Changed, NOW);
    assert_eq!(core.on(read(&before), NOW), [Action::Apply(before)]);
    core.on(Event::Applied(Ok(counts(4))), NOW);
    assert_eq!(core.status().refused, None);
}

#[test]
fn what_there_is_no_room_for_either_is_not_followed() {
    let (mut core, _) =
        Core::new(Beginning { applied: Some(crowd(1, &["a", "b"], &[], &[])), ..beginning() });
    core.on(destroyed(0), NOW);
    core.on(Event::Changed, NOW);
    core.on(read(&crowd(2, &["b", "c"], &[], &["new"])), NOW);
    core.on(full(), NOW);
    assert_eq!(warnings(&core.on(full(), NOW)).len(), 1);
    assert_eq!(core.status().refused.unwrap().reason, "no room");
    assert_eq!(core.status().configuration.unwrap().digest, [1; 32]);
}

/// A control plane says a mesh for which there is no room to an agent that knows no other: it was started while that was so.
#[test]
fn how_much_room_there_is_is_told_by_what_was_applied_last() {
    let nothing = || Beginning { applied: None, feed: Feed::ControlPlane, ..beginning() };
    for (recorded, narrowed) in [(true, true), (false, false)] {
        let (mut core, _) = Core::new(nothing());
        core.on(destroyed(0), NOW);
        let newest = crowd(2, &["b", "c"], &[], &["new"]);
        let LastApplied { snapshot, digest, warnings, .. } = newest.as_ref().clone();
        core.on(Event::Offered(Box::new(Offered { snapshot, digest, warnings }), 1), NOW);
        assert_eq!(core.on(full(), NOW), [Action::Recall]);
        let record = crowd(1, &["a", "b"], &[], &[]).as_ref().clone();
        let actions = core.on(Event::Recalled(recorded.then(|| Box::new(record)), None), NOW);
        let wanted = Action::Apply(crowd(0, &["b", "c"], &[], &[]));
        assert_eq!(actions.contains(&wanted), narrowed, "{actions:?}");
        core.on(Event::Applied(Ok(counts(3))), NOW);
        assert_eq!(core.status().configuration.is_some(), narrowed);
        assert!(core.status().refused.is_some());
    }
}

/// A pod that was away when the agent before ended has its place.
#[test]
fn how_much_room_there_is_outlasts_an_agent() {
    let fits = Some(crowd(1, &["a", "b"], &[], &[]));
    let beginning = Beginning { feed: Feed::ControlPlane, applied: None, fits, ..beginning() };
    let mut core = Core::new(beginning).0;
    core.on(destroyed(0), NOW);
    let newest = crowd(2, &["a", "b"], &[], &["new"]);
    let LastApplied { snapshot, digest, .. } = newest.as_ref().clone();
    core.on(Event::Offered(Box::new(Offered { snapshot, digest, warnings: vec![] }), 7), NOW);
    let deeds = core.on(full(), NOW);
    let [Action::Apply(narrowed)] = &deeds[..] else { panic!("{deeds:?}") };
    assert_eq!(narrowed.snapshot, crowd(0, &["a", "b"], &[], &[]).snapshot);
}
