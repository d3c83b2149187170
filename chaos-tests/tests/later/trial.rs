//! `upgrade rollback` to the release before, where somebody is killed.

use std::thread;

use evermesh_chaos_tests::{Result, mesh::Mesh, wait};
use evermesh_pins::{Hook, Inventory, layout::Known};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{PATIENCE, known};

/// Who is killed, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Victim {
    /// The process that steps down.
    OneShot,
    /// The supervisor, meanwhile.
    Supervisor,
    /// The candidate's agent, as soon as it is there.
    Starting,
    /// The same, while traffic runs on its generation, and that may still be undone.
    OnTrial,
    /// The same, ready, but not for as long as the gate takes.
    Ready,
}

/// The trial begins, something is done to it, and it has failed.
pub fn failed(
    mesh: &Mesh<'_>,
    begin: impl FnOnce(&Mesh<'_>) -> Result<()> + Send,
    interfere: impl FnOnce(&Mesh<'_>) -> Result<()>,
) -> Result<()> {
    thread::scope(|scope| {
        let outcome = scope.spawn(|| begin(mesh));
        interfere(mesh)?;
        assert!(outcome.join().unwrap().is_err());
        Ok(())
    })
}

/// Somebody is killed.
pub fn killed(mesh: &mut Mesh<'_>, victim: Victim) -> Result<()> {
    failed(
        mesh,
        |mesh| mesh.roll_back(),
        |mesh| {
            kill(found(mesh, victim)?, Signal::SIGKILL).unwrap();
            Ok(())
        },
    )?;
    if victim == Victim::Supervisor {
        mesh.interrupt()?;
        mesh.restart()?;
    }
    Ok(())
}

/// The process, when the moment has come.
fn found(mesh: &Mesh<'_>, victim: Victim) -> Result<Pid> {
    let one_shot = mesh.await_phase("stepping-down")?;
    match victim {
        Victim::OneShot => Ok(one_shot),
        Victim::Supervisor => Ok(mesh.supervisor_pid().unwrap()),
        Victim::Starting => mesh.await_phase("starting"),
        Victim::OnTrial => {
            let candidate = mesh.await_phase("starting")?;
            wait::until("traffic on its generation", PATIENCE, || is_on_trial(mesh).then_some(candidate))
        }
        Victim::Ready => {
            mesh.await_phase("starting")?;
            let candidate = mesh.await_phase("running")?;
            assert_eq!(known(mesh), Some(Known::Own), "it runs over maps that it knows");
            Ok(candidate)
        }
    }
}

/// Every link leads to a generation that is not live.
fn is_on_trial(mesh: &Mesh<'_>) -> bool {
    // Read while it changes, it may contradict itself.
    let Ok(inventory) = Inventory::read(&mesh.pins()) else { return false };
    let others = inventory.generations.iter().filter(|(number, _)| Some(**number) != inventory.live);
    others.map(|(_, generation)| generation).any(|generation| {
        Hook::ALL.iter().all(|hook| {
            let (link, program) = (inventory.links.get(hook), generation.programs.get(hook));
            link.zip(program).is_some_and(|(link, program)| link.info.program_id == program.info.id)
        })
    })
}
