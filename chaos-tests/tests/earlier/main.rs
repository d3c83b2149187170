//! A release that knew neither trials nor staged releases, and the one of today, take over from each other under traffic.
//!
//! `EVERMESH_EARLIER` says how often in each way (`make chaos` asks for more than `make test`).
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod stop_and_start;
mod takeover;
mod trial;

use std::{path::PathBuf, time::Duration};

use evermesh_chaos_tests::{Result, asked_for, binaries, mesh::Mesh, oracle::Event};

/// Those that both know.
const FLAGS: [&str; 2] = ["--watchdog-ms", "20000"];

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often each of the two takes over.
fn times() -> usize {
    asked_for("EVERMESH_EARLIER", 2)
}

/// Where this release's programs are, and the earlier one's; `None`: it could not be built.
fn releases() -> Option<[PathBuf; 2]> {
    let Some(earlier) = binaries::release_before().unwrap() else {
        println!("left out: this copy has no history to build the earlier release from");
        return None;
    };
    let now = binaries::find("evermesh").unwrap();
    Some([now.parent().unwrap().to_owned(), earlier])
}

/// What is done to the mesh, which has programs of another generation afterwards.
fn change<'a>(
    mesh: &mut Mesh<'a>,
    kind: &str,
    act: impl FnOnce(&mut Mesh<'a>) -> Result<()>,
) -> Result<Event> {
    let before = mesh.generation()?;
    let event = Event::of(kind, || act(mesh))?;
    assert!(mesh.generation()? > before, "{kind}: no other generation");
    Ok(event)
}
