//! A later release that falls after its generation stayed, and before it is committed: it steps down, and the committed one
//! goes on.

use std::path::Path;

use evermesh_chaos_tests::{
    Result, binaries,
    mesh::Mesh,
    oracle::{Event, Verdict},
    stage::under_traffic,
};
use evermesh_pins::layout::Known;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{FLAGS, LATER, PATIENCE, known, releases, sockets::Sockets, trial::failed};

/// Who is killed when the later release's agent is ready.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Victim {
    /// That agent.
    Agent,
    /// That agent, and then the process that steps down for it.
    OneShot,
    /// The supervisor, which is started again.
    Supervisor,
    /// The later supervisor, which had taken over.
    Newcomer,
}

const ALL: [Victim; 4] = [Victim::Agent, Victim::OneShot, Victim::Supervisor, Victim::Newcomer];

#[test]
fn whoever_falls_before_a_later_release_is_committed_it_steps_down_unnoticed() {
    let later = binaries::release_after(LATER).unwrap();
    let report = under_traffic(&FLAGS, |stage, mesh| {
        let sockets = Sockets::open(stage)?;
        let committed = releases(mesh)?["committed"]["release"].clone();
        let mut events = Vec::new();
        for victim in ALL {
            events.push(fallen(mesh, &sockets, &later, victim)?);
            let now = releases(mesh)?;
            assert_eq!([&now["running"], &now["committed"]["release"]], [&committed; 2], "after {victim:?}");
            assert_eq!(known(mesh), Some(Known::Own), "its maps are those of the committed release again");
        }
        events.push(Event::of("upgraded", || sockets.checked_while(|| mesh.upgrade(&later)))?);
        assert_eq!(known(mesh), None);
        Ok(events)
    });
    let report = report.unwrap();
    println!("{report}");
    assert_eq!((report.verdict(), report.events.len()), (Verdict::Clean, ALL.len() + 1), "{report}");
}

fn fallen(mesh: &mut Mesh<'_>, sockets: &Sockets, later: &Path, victim: Victim) -> Result<Event> {
    Event::of("fallen", || {
        sockets.checked_while(|| {
            match victim {
                Victim::Newcomer => takes_over_and_falls(mesh, later),
                _ => is_tried_and_falls(mesh, later, victim),
            }?;
            mesh.await_agent(None).map(drop)
        })
    })
}

fn is_tried_and_falls(mesh: &mut Mesh<'_>, later: &Path, victim: Victim) -> Result<()> {
    let supervisor = mesh.supervisor_pid().unwrap();
    failed(
        mesh,
        |mesh| mesh.upgrade(later),
        |mesh| {
            let candidate = ready(mesh, supervisor)?;
            let pid = if victim == Victim::Supervisor { supervisor } else { candidate };
            kill(pid, Signal::SIGKILL).unwrap();
            if victim == Victim::OneShot {
                kill(mesh.await_phase("stepping-down")?, Signal::SIGKILL).unwrap();
            }
            Ok(())
        },
    )?;
    if victim == Victim::Supervisor {
        mesh.interrupt()?;
        mesh.restart()?;
    }
    Ok(())
}

fn takes_over_and_falls(mesh: &mut Mesh<'_>, later: &Path) -> Result<()> {
    let mut new = mesh.challenged_by(later)?;
    ready(mesh, new.pid())?;
    kill(new.pid(), Signal::SIGKILL).unwrap();
    new.await_exit(PATIENCE).map(drop)
}

/// That supervisor's later agent, over maps of its own.
pub fn ready(mesh: &Mesh<'_>, supervisor: Pid) -> Result<Pid> {
    mesh.await_phase_of(Some(supervisor), "starting")?;
    let agent = mesh.await_phase_of(Some(supervisor), "running")?;
    assert_eq!(known(mesh), None, "the maps are the later release's");
    Ok(agent)
}
