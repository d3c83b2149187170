use super::{Stage, Traffic, config};
use crate::{
    Result,
    mesh::Mesh,
    oracle::{Event, Report},
    sandbox::Sandbox,
};

/// Runs the mesh with `flags` on a stage of its own, does `act` under traffic, uninstalls, takes everything away, and
/// gives the oracle's report about the events that `act` tells.
pub fn under_traffic(
    flags: &[&str],
    act: impl FnOnce(&Stage, &mut Mesh<'_>) -> Result<Vec<Event>>,
) -> Result<Report> {
    let sandbox = Sandbox::new()?;
    let report = play(&sandbox, flags, act).inspect_err(|_| eprintln!("{}", sandbox.logs()))?;
    sandbox.close()?;
    Ok(report)
}

fn play(
    sandbox: &Sandbox,
    flags: &[&str],
    act: impl FnOnce(&Stage, &mut Mesh<'_>) -> Result<Vec<Event>>,
) -> Result<Report> {
    let stage = Stage::new(sandbox)?;
    let mut mesh = Mesh::start(sandbox, &config::with(&stage.web), flags)?;
    stage.enrolled().try_for_each(|pod| mesh.pod_add(pod))?;
    let report = Traffic::around(&stage, || act(&stage, &mut mesh))?;
    mesh.interrupt()?;
    mesh.uninstall()?;
    Ok(report)
}
