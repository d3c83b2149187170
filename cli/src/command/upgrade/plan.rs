//! `evermesh upgrade plan`: what trying a release would meet. Changes nothing.

use std::{fmt, path::Path};

use evermesh_pins::Table;
use evermesh_upgrader::release::{
    AGENT, Digest, LedgerFile, Release, Room, Source, Stamps, Store, room, version,
};
use serde::Serialize;

use super::{
    UpgradeError,
    layouts::{LayoutsView, of_committed},
};
use crate::{
    Exit, Failure,
    args::Directories,
    output::{Output, columns},
};

/// A release beside the committed one. Field names stay.
#[derive(Debug, Serialize)]
struct PlanView {
    release: String,
    version: Option<String>,
    committed: Option<String>,
    committed_version: Option<String>,
    /// It is on disk already and takes no more room.
    staged: bool,
    bytes_needed: u64,
    bytes_free: u64,
    programs: Vec<ProgramView>,
    layouts: LayoutsView,
    /// Why it cannot be tried; empty: it can.
    problems: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ProgramView {
    name: &'static str,
    version: Option<String>,
    bytes: u64,
    sha256: String,
    /// Than that of the committed release; null: that is not known.
    differs: Option<bool>,
}

/// Shows what would change, and exits with 1 when the release cannot be tried.
pub fn show(
    directories: &Directories,
    output: Output,
    to: &Path,
    accept_loss: &[Table],
) -> Result<Exit, Failure> {
    let view = look(directories, to, accept_loss)?;
    output.show(&view)?;
    Ok(if view.problems.is_empty() { Exit::Ok } else { Exit::Failure })
}

fn look(directories: &Directories, to: &Path, accept_loss: &[Table]) -> Result<PlanView, UpgradeError> {
    let store = Store::of(&directories.state_dir);
    let mut stamps = Stamps::load(store.dir());
    let source = Source::named(to, &mut stamps)?;
    let ledger = LedgerFile::of(&store).read()?;
    let committed = ledger.as_ref().and_then(|ledger| store.described(&ledger.committed).ok());
    let staged = store.verify(&source.digest, &mut stamps).is_ok();
    let Room { needed, free } = room(store.dir(), if staged { 0 } else { source.size() })?;
    let mut problems = Vec::new();
    if free < needed {
        problems.push(format!(
            "there is no room in {}: {needed} bytes are needed, {free} are free",
            store.dir().display()
        ));
    }
    let programs: Vec<_> = source
        .programs
        .iter()
        .map(|&(name, bytes, digest)| {
            let version =
                version(name, &source.dir.join(name)).map_err(|error| problems.push(error.to_string()));
            let differs = committed.as_ref().map(|it| differs(it, name, &digest));
            ProgramView { name, version: version.ok(), bytes, sha256: digest.to_string(), differs }
        })
        .collect();
    let said = ledger.as_ref().and_then(|ledger| of_committed(&store, &ledger.committed));
    let agent = source.dir.join(AGENT);
    let layouts = LayoutsView::of(&directories.pins(), &agent, said.as_ref(), accept_loss)?;
    problems.extend(layouts.refused());
    let agent = programs.iter().find(|program| program.name == AGENT);
    Ok(PlanView {
        release: source.digest.to_string(),
        version: agent.and_then(|agent| agent.version.clone()),
        committed: ledger.map(|ledger| ledger.committed.to_string()),
        committed_version: committed.map(|committed| committed.version().to_owned()),
        staged,
        bytes_needed: needed,
        bytes_free: free,
        programs,
        layouts,
        problems,
    })
}

fn differs(committed: &Release, name: &str, digest: &Digest) -> bool {
    committed.programs.get(name).is_none_or(|program| program.digest != *digest)
}

impl fmt::Display for PlanView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |digest: &str| digest.get(..16).unwrap_or(digest).to_owned();
        let words = |digest: Option<&String>, version: Option<&String>| match (digest, version) {
            (Some(digest), Some(version)) => format!("{} ({version})", short(digest)),
            (Some(digest), None) => short(digest),
            (None, _) => "none".into(),
        };
        writeln!(f, "committed  {}", words(self.committed.as_ref(), self.committed_version.as_ref()))?;
        writeln!(f, "release    {}", words(Some(&self.release), self.version.as_ref()))?;
        let staged = if self.staged { ", it is staged already" } else { "" };
        writeln!(
            f,
            "room       {} MB needed, {} MB free{staged}\n",
            self.bytes_needed >> 20,
            self.bytes_free >> 20
        )?;
        let row = |program: &ProgramView| {
            let differs =
                program.differs.map_or("unknown", |differs| if differs { "differs" } else { "same" });
            let version = program.version.clone().unwrap_or("does not run".into());
            [program.name.into(), version, program.bytes.to_string(), short(&program.sha256), differs.into()]
        };
        let rows = self.programs.iter().map(row);
        writeln!(f, "{}\n", columns(["PROGRAM", "VERSION", "BYTES", "SHA256", "COMMITTED"], rows))?;
        writeln!(f, "{}", self.layouts)?;
        match self.problems.as_slice() {
            [] => writeln!(f, "It can be tried: `evermesh upgrade --to`."),
            problems => problems.iter().try_for_each(|problem| writeln!(f, "! {problem}")),
        }
    }
}
