//! `run --takeover`: supervisors of both releases speak one version of their messages.

use std::path::Path;

use evermesh_chaos_tests::{
    Result,
    mesh::Mesh,
    oracle::{Event, Verdict},
    stage::under_traffic,
};
use nix::sys::signal::{Signal, kill};

use crate::{FLAGS, PATIENCE, change, releases, times};

#[test]
fn takeovers_go_unnoticed() {
    let Some([now, earlier]) = releases() else { return };
    let report = under_traffic(&FLAGS, |_, mesh| {
        let mut events = Vec::new();
        for _ in 0..times() {
            events.push(change(mesh, "downgraded", |mesh| take_over(mesh, &earlier))?);
            events.push(change(mesh, "upgraded", |mesh| take_over(mesh, &now))?);
        }
        Ok(events)
    });
    let report = report.unwrap();
    println!("{report}");
    assert_eq!((report.verdict(), report.events.len()), (Verdict::Clean, 2 * times()), "{report}");
}

/// Who is killed while the new supervisor's agent starts.
#[derive(Clone, Copy, Debug)]
enum Party {
    Agent,
    Both,
    OldSupervisor,
}

/// Whoever is left goes on.
#[test]
fn takeovers_in_which_somebody_is_killed_go_unnoticed() {
    let Some([now, earlier]) = releases() else { return };
    let report = under_traffic(&FLAGS, |_, mesh| {
        let mut events = Vec::new();
        for (own, other) in [(&now, &earlier), (&earlier, &now)] {
            for party in [Party::Agent, Party::Both, Party::OldSupervisor] {
                events.push(Event::of(&format!("{party:?} killed"), || killed(mesh, own, other, party))?);
            }
        }
        Ok(events)
    });
    let report = report.unwrap();
    println!("{report}");
    assert_eq!((report.verdict(), report.events.len()), (Verdict::Clean, 6), "{report}");
}

fn take_over(mesh: &mut Mesh<'_>, release: &Path) -> Result<()> {
    let new = mesh.challenged_by(release)?;
    mesh.succeeded_by(new, release).map(drop)
}

/// `own` runs and is challenged by `other`, which is what runs after this.
fn killed(mesh: &mut Mesh<'_>, own: &Path, other: &Path, party: Party) -> Result<()> {
    let mut new = mesh.challenged_by(other)?;
    let agent = mesh.await_phase_of(Some(new.pid()), "starting")?;
    match party {
        Party::Agent => {
            kill(agent, Signal::SIGKILL).unwrap();
            mesh.succeeded_by(new, other).map(drop)
        }
        Party::Both => {
            kill(new.pid(), Signal::SIGKILL).unwrap();
            assert_eq!(new.await_exit(PATIENCE)?.code(), None, "{}", new.output());
            mesh.set_release(own);
            mesh.await_agent(None)?;
            take_over(mesh, other)
        }
        Party::OldSupervisor => {
            kill(mesh.supervisor_pid().unwrap(), Signal::SIGKILL).unwrap();
            mesh.succeeded_by(new, other).map(drop)
        }
    }
}
