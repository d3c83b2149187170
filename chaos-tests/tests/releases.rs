//! Other releases are tried under traffic: good ones, the way back, and ones that are no good.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use evermesh_chaos_tests::{
    Error, Result, binaries,
    mesh::Mesh,
    oracle::{Event, Report, Verdict},
    release,
    stage::under_traffic,
};

/// So long that no agent is replaced because the machine is slow.
const FLAGS: [&str; 2] = ["--watchdog-ms", "20000"];
/// Longer than a takeover takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn clean(report: &Report, events: usize) {
    println!("{report}");
    assert_eq!((report.verdict(), report.events.len()), (Verdict::Clean, events), "{report}");
}

#[test]
fn upgrade_rollback_and_releases_that_are_no_good_go_unnoticed() {
    let dir = tempfile::tempdir().unwrap();
    let other = release::same(dir.path(), "same").unwrap();
    let crashing = release::with_agent(dir.path(), "crashing", "exit 1").unwrap();
    // Ready or not, it is stopped before the gate is over.
    let agent = binaries::find("evermesh-agent").unwrap();
    let stopped = format!("(sleep 1; kill -STOP $$) >/dev/null 2>&1 &\nexec {} \"$@\"", agent.display());
    let hanging = release::with_agent(dir.path(), "hanging", &stopped).unwrap();
    let report = under_traffic(&FLAGS, |_, mesh| {
        let mut events = vec![Event::of("upgraded", || mesh.upgrade(&other))?];
        let committed = releases(mesh)?["committed"]["release"].clone();
        assert_eq!(releases(mesh)?["running"], committed);
        events.push(restarted(mesh)?);
        assert_eq!(
            releases(mesh)?["running"],
            committed,
            "the committed release runs, not the one that was started"
        );
        events.push(Event::of("rolled back", || mesh.roll_back())?);
        let first = releases(mesh)?["committed"]["release"].clone();
        assert_ne!(first, committed);
        for (what, release) in [("crashed", &crashing), ("hung", &hanging)] {
            events.push(refused(what, mesh, release, "")?);
            mesh.await_agent(None)?;
            let seen = releases(mesh)?;
            assert_eq!((&seen["running"], &seen["committed"]["release"]), (&first, &first), "{seen:#}");
            assert_eq!(seen["last"]["committed"], false, "{seen:#}");
        }
        Ok(events)
    });
    clean(&report.unwrap(), 5);
}

/// It says its version, and would be noticed at the next start.
#[test]
fn a_release_whose_supervisor_would_not_start_here_is_refused_before_anything_moves() {
    let dir = tempfile::tempdir().unwrap();
    let broken = release::with_supervisor(dir.path(), "broken", "echo no room for it; exit 1").unwrap();
    let older = release::with_supervisor(dir.path(), "older", "exit 2").unwrap();
    let report = under_traffic(&FLAGS, |_, mesh| {
        let (first, agent) = (releases(mesh)?, mesh.agent_pid()?);
        let mut events = vec![Event::of("refused", || {
            let Err(Error::Command { stderr, .. }) = mesh.upgrade(&broken) else { panic!("it was tried") };
            assert!(
                stderr.contains("would not do here (exit status: 1): no room for it; nothing was changed"),
                "{stderr}"
            );
            assert_eq!((releases(mesh)?, mesh.agent_pid()?), (first, agent));
            Ok(())
        })?];
        events.push(Event::of("upgraded", || mesh.upgrade(&older))?);
        Ok(events)
    });
    clean(&report.unwrap(), 2);
}

/// What was odd before is not its fault, and stays.
#[test]
fn a_release_that_leaks_pins_is_rolled_back_and_they_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let report = under_traffic(&FLAGS, |_, mesh| {
        let [frozen, odd] = [mesh.pins().frozen(), mesh.pins().links().join("odd")];
        fs::hard_link(frozen.join("control"), &odd).unwrap();
        let first = releases(mesh)?["committed"]["release"].clone();
        let (leaked, leaking) = leaking(dir.path(), mesh)?;
        let mut events = vec![refused("leaked", mesh, &leaking, &leaked.display().to_string())?];
        mesh.await_agent(None)?;
        let seen = releases(mesh)?;
        assert_eq!((&seen["running"], &seen["committed"]["release"]), (&first, &first), "{seen:#}");
        assert!(
            seen["notes"]
                .to_string()
                .contains("leaked: left by a release that was not committed, and removed"),
            "{seen:#}"
        );
        assert!(!leaked.exists() && odd.exists());
        events.push(restarted(mesh)?);
        assert!(
            mesh.notes()?.iter().any(|note| note.contains(&*odd.to_string_lossy())),
            "{:?}",
            mesh.notes()?
        );
        Ok(events)
    });
    clean(&report.unwrap(), 2);
}

/// Only a trial looked for them.
#[test]
fn a_release_that_leaks_pins_does_not_take_over_and_they_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let report = under_traffic(&FLAGS, |_, mesh| {
        let first = releases(mesh)?["committed"]["release"].clone();
        let (leaked, leaking) = leaking(dir.path(), mesh)?;
        let taken_over = Event::of("leaked", || {
            let mut newcomer = mesh.challenged_by(&leaking)?;
            assert_eq!(newcomer.await_exit(PATIENCE)?.code(), Some(70), "{}", newcomer.output());
            let said = newcomer.output();
            assert!(said.contains("it left pins") && said.contains("leaked"), "{said}");
            mesh.await_agent(None).map(drop)
        })?;
        let seen = releases(mesh)?;
        assert_eq!((&seen["running"], &seen["committed"]["release"]), (&first, &first), "{seen:#}");
        assert!(!leaked.exists(), "{seen:#}");
        let good = release::same(dir.path(), "good")?;
        let newcomer = mesh.challenged_by(&good)?;
        Ok(vec![taken_over, Event::of("taken over", || mesh.succeeded_by(newcomer, &good).map(drop))?])
    });
    clean(&report.unwrap(), 2);
}

/// A pin that has no place, and a release whose agent leaves it.
fn leaking(dir: &Path, mesh: &Mesh<'_>) -> Result<(PathBuf, PathBuf)> {
    let (frozen, agent) = (mesh.pins().frozen(), binaries::find("evermesh-agent")?);
    let leaked = frozen.join("leaked");
    let leaks = format!("ln -f {} {}", frozen.join("control").display(), leaked.display());
    let body = format!("{leaks}\nexec {} \"$@\"", agent.display());
    Ok((leaked, release::with_agent(dir, "leaking", &body)?))
}

/// Of releases with other kernel programs, one is committed, and what is no good never meets traffic.
#[test]
fn releases_with_other_kernel_programs_take_over_if_they_are_good() {
    let dir = tempfile::tempdir().unwrap();
    let [other, misroute, rejected] =
        ["other", "misroute", "rejected"].map(|variant| release::of_variant(dir.path(), variant).unwrap());
    let report = under_traffic(&FLAGS, |_, mesh| {
        let mut events = vec![Event::of("upgraded", || mesh.upgrade(&other))?];
        let committed = releases(mesh)?["committed"]["release"].clone();
        assert_eq!(mesh.generation()?, Some(2));
        for (what, release, why) in [
            ("misrouting", &misroute, "the new programs failed in rehearsal"),
            ("rejected", &rejected, "the kernel refused the program sock_release"),
        ] {
            events.push(refused(what, mesh, release, why)?);
            mesh.await_agent(None)?;
            assert_eq!(mesh.generation()?, Some(2));
            assert_eq!(releases(mesh)?["running"], committed);
        }
        events.push(Event::of("rolled back", || mesh.roll_back())?);
        assert!(mesh.generation()? > Some(2));
        Ok(events)
    });
    clean(&report.unwrap(), 4);
}

fn restarted(mesh: &mut Mesh<'_>) -> Result<Event> {
    Event::of("restarted", || {
        mesh.interrupt()?;
        mesh.restart().map(drop)
    })
}

/// The command says why.
fn refused(kind: &str, mesh: &Mesh<'_>, release: &Path, why: &str) -> Result<Event> {
    Event::of(kind, || {
        match mesh.upgrade(release) {
            Err(Error::Command { stderr, .. }) => {
                assert!(stderr.contains("was tried and is not committed") && stderr.contains(why), "{stderr}")
            }
            other => panic!("{other:?}"),
        }
        Ok(())
    })
}

fn releases(mesh: &Mesh<'_>) -> Result<serde_json::Value> {
    let text = mesh.command(&["upgrade".as_ref(), "status".as_ref(), "--json".as_ref()])?;
    serde_json::from_str(&text).map_err(|source| Error::Json { what: "upgrade status", source })
}
