//! `run --takeover` of the release before, where somebody is killed, and where nobody is.

use std::path::Path;

use evermesh_chaos_tests::{Result, mesh::Mesh};
use nix::sys::signal::{Signal, kill};

use crate::PATIENCE;

/// Who is killed, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Party {
    /// The later release's process that steps down.
    OneShot,
    /// The later supervisor, meanwhile.
    Old,
    /// The earlier supervisor, meanwhile.
    New,
    /// The same, when it has the seat and its agent makes its own generation.
    Seated,
}

/// The earlier supervisor asks, somebody is killed, and it has not taken over.
pub fn killed(mesh: &mut Mesh<'_>, own: &Path, party: Party) -> Result<()> {
    let mut new = mesh.challenged_by(own)?;
    let one_shot = mesh.await_phase("stepping-down")?;
    let pid = match party {
        Party::OneShot => one_shot,
        Party::Old => mesh.supervisor_pid().unwrap(),
        Party::New => new.pid(),
        Party::Seated => {
            mesh.await_phase_of(Some(new.pid()), "starting")?;
            new.pid()
        }
    };
    kill(pid, Signal::SIGKILL).unwrap();
    let code = new.await_exit(PATIENCE)?.code();
    let expected = if matches!(party, Party::OneShot | Party::Old) { Some(75) } else { None };
    assert_eq!(code, expected, "{}", new.output());
    match party {
        Party::OneShot => {
            assert!(new.output().contains("the committed release did not step down"), "{}", new.output())
        }
        Party::Old => {
            mesh.interrupt()?;
            mesh.restart()?;
        }
        Party::New | Party::Seated => {}
    }
    Ok(())
}

/// Nobody is killed, and the later supervisor ends.
pub fn completed(mesh: &mut Mesh<'_>, own: &Path) -> Result<()> {
    let new = mesh.challenged_by(own)?;
    mesh.succeeded_by(new, own).map(drop)
}
