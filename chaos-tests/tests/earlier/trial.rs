use std::path::Path;

use evermesh_chaos_tests::{
    Error, Result, binaries,
    mesh::Mesh,
    oracle::{Event, Verdict},
    stage::under_traffic,
};
use nix::sys::signal::{Signal, kill};

use crate::{FLAGS, PATIENCE, change, releases, times};

/// It knows nothing of trials, and need not.
#[test]
fn the_earlier_release_is_tried_and_gone_back_from_unnoticed() {
    let Some([_, earlier]) = releases() else { return };
    let report = under_traffic(&FLAGS, |_, mesh| {
        let mut events = Vec::new();
        for _ in 0..times() {
            events.push(Event::of("killed on trial", || falls(mesh, &earlier))?);
            events.push(change(mesh, "downgraded", |mesh| mesh.upgrade(&earlier))?);
            events.push(change(mesh, "rolled back", |mesh| mesh.roll_back())?);
        }
        Ok(events)
    });
    let report = report.unwrap();
    println!("{report}");
    assert_eq!((report.verdict(), report.events.len()), (Verdict::Clean, 3 * times()), "{report}");
}

/// Its agent cannot read the maps of a release that it never heard of, and says so; by way of the release between it can be
/// gone back to.
#[test]
fn a_release_that_is_two_layouts_away_is_refused_until_the_one_between_has_run() {
    let Some([now, earlier]) = releases() else { return };
    let later = binaries::release_after("layouts").unwrap();
    let report = under_traffic(&FLAGS, |_, mesh| {
        let mut events = vec![change(mesh, "upgraded", |mesh| mesh.upgrade(&later))?];
        events.push(Event::of("refused", || {
            let refused = mesh.upgrade(&earlier).unwrap_err();
            let Error::Command { stderr, .. } = &refused else { panic!("{refused}") };
            assert!(stderr.contains("is not committed: the agent ended before it was ready"), "{stderr}");
            Ok(())
        })?);
        events.push(Event::of("takeover refused", || {
            let mut newcomer = mesh.challenged_by(&earlier)?;
            assert_eq!(newcomer.await_exit(PATIENCE)?.code(), Some(78));
            let said = newcomer.output();
            assert!(said.contains("expected a Hash map, key 8 bytes, value 512 bytes"), "{said}");
            mesh.await_agent(None).map(drop)
        })?);
        events.push(change(mesh, "stepped down", |mesh| mesh.upgrade(&now))?);
        events.push(change(mesh, "downgraded", |mesh| mesh.upgrade(&earlier))?);
        Ok(events)
    });
    let report = report.unwrap();
    println!("{report}");
    assert_eq!((report.verdict(), report.events.len()), (Verdict::Clean, 5), "{report}");
}

/// Its agent is killed before it is committed, and the one before it runs again.
fn falls(mesh: &Mesh<'_>, release: &Path) -> Result<()> {
    let before = mesh.agent_pid()?;
    std::thread::scope(|scope| {
        let trial = scope.spawn(|| mesh.upgrade(release));
        kill(mesh.await_agent(Some(before))?, Signal::SIGKILL).unwrap();
        let outcome = trial.join().unwrap();
        assert!(matches!(outcome, Err(Error::Command { .. })), "{outcome:?}");
        mesh.await_agent(None).map(drop)
    })
}
