use std::{path::Path, time::Duration};

use evermesh_agent::{CONTROL_PLANE, source};
use evermesh_model::Snapshot;

use crate::{
    Failure,
    args::{Diff, Directories},
    known,
    names::Names,
    process::agent,
    record,
};

/// How long the agent may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the source says.
#[derive(Debug)]
pub struct Source {
    /// Where it is.
    pub name: String,
    /// The mesh.
    pub snapshot: Snapshot,
    /// Name of this node, which tells its place.
    pub node: String,
    /// Of what was applied last, which the tables may still hold.
    pub former: Names,
}

impl Source {
    /// Reads it: files as an agent does, a control plane from the agent or the disk.
    pub fn read(directories: &Directories, asked: &Diff) -> Result<Self, Failure> {
        let agent = agent::heard(&directories.run(), PATIENCE).word;
        // No more than a help: it gives names, and the source where no agent ever spoke.
        let record = record::read(&directories.state_dir).ok().flatten();
        let named = asked.config.as_ref().map(|path| path.display().to_string());
        let told = agent.as_ref().map(|agent| agent.source.clone());
        let recorded = record.as_ref().map(|record| record.source.clone());
        let name = named.or(told).or(recorded).ok_or(Failure::NoSource)?;
        let is_path = asked.config.is_some() || !name.starts_with(CONTROL_PLANE);
        let snapshot = match is_path {
            true => source::read(Path::new(&name))?.parse()?.snapshot,
            false => known::read(directories, &asked.as_run)?.snapshot()?,
        };
        let told = agent.map(|agent| agent.node).filter(|node| !node.is_empty());
        let node = asked.node.clone().or(told).or_else(host_name).unwrap_or_default();
        let former = record.map(|record| Names::of(&record.snapshot)).unwrap_or_default();
        Ok(Self { name, snapshot, node, former })
    }
}

fn host_name() -> Option<String> {
    nix::unistd::gethostname().ok()?.into_string().ok()
}
