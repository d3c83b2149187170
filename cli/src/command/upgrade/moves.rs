//! Trying a release, which may be the one before.

use std::{fmt, path::Path, time::Duration};

use evermesh_handover::{
    Client, ClientError,
    message::{Releases, VERSION},
};
use evermesh_pins::Table;
use evermesh_upgrader::release::{
    AGENT, Digest, LedgerFile, ReleaseError, Source, Stamps, Store, StoreLock, check_supervisor, stage,
};
use serde::Serialize;

use super::{
    UpgradeError,
    layouts::{LayoutsView, of_committed},
    trial,
};
use crate::{Exit, Failure, args::Directories, output::Output};

/// How long the supervisor may take to look at a release: it reads it once more.
const ANSWER: Duration = Duration::from_secs(60);
/// How long another staging is waited for.
const STAGING: Duration = Duration::from_secs(5);

/// Stages the release that the user names and has it tried.
pub fn to(
    directories: &Directories,
    output: Output,
    path: &Path,
    tries: u32,
    accept_loss: &[Table],
) -> Result<Exit, Failure> {
    let known = known(directories)?;
    let store = Store::of(&directories.state_dir);
    let mut stamps = Stamps::load(store.dir());
    let source = Source::named(path, &mut stamps).map_err(UpgradeError::from)?;
    if known.committed == source.digest.to_string() {
        let damaged = store.verify(&source.digest, &mut stamps).is_err();
        if damaged {
            stage_there(&store, &source, &mut stamps).map_err(UpgradeError::from)?;
        }
        return show(output, &known, &source.digest, &store, damaged);
    }
    refuse_unknown_layouts(directories, &store, &known, &source.digest, &source.dir, accept_loss)?;
    let held = stage_there(&store, &source, &mut stamps).map_err(UpgradeError::from)?;
    let tried = refuse_supervisor(directories, &store, &source.digest)
        .and_then(|()| attempt(directories, &source.digest, tries, accept_loss));
    // What nobody is going to try takes no room. Where that fails, the next staging sweeps.
    let _swept = if tried.is_err() { sweep(&store, &held, None) } else { Ok(()) };
    drop(held);
    trial::await_end(directories, &source.digest, tried?)?;
    show(output, &known, &source.digest, &store, false)
}

/// Has the release tried that was committed before.
pub fn back(
    directories: &Directories,
    output: Output,
    tries: u32,
    accept_loss: &[Table],
) -> Result<Exit, Failure> {
    let known = known(directories)?;
    let short = |digest: &str| digest.get(..16).unwrap_or(digest).to_owned();
    let previous = known.previous.as_ref().and_then(|previous| previous.parse::<Digest>().ok());
    let previous =
        previous.ok_or_else(|| UpgradeError::NothingBefore { committed: short(&known.committed) })?;
    let store = Store::of(&directories.state_dir);
    refuse_unknown_layouts(directories, &store, &known, &previous, &store.place(&previous), accept_loss)?;
    refuse_supervisor(directories, &store, &previous)?;
    let trial = attempt(directories, &previous, tries, accept_loss)?;
    trial::await_end(directories, &previous, trial)?;
    show(output, &known, &previous, &store, false)
}

/// The trial is one of the agent; the supervisor takes its place at the next start, and is asked now whether it would do.
fn refuse_supervisor(directories: &Directories, store: &Store, release: &Digest) -> Result<(), UpgradeError> {
    let Directories { run_dir, state_dir, .. } = directories;
    Ok(check_supervisor(&store.place(release), run_dir, state_dir)?)
}

/// Asked before anything moves.
pub(super) fn refuse_unknown_layouts(
    directories: &Directories,
    store: &Store,
    known: &Releases,
    release: &Digest,
    dir: &Path,
    accept_loss: &[Table],
) -> Result<(), UpgradeError> {
    let committed = known.committed.parse().ok().and_then(|committed| of_committed(store, &committed));
    let view = LayoutsView::of(&directories.pins(), &dir.join(AGENT), committed.as_ref(), accept_loss)?;
    match view.refused() {
        reasons if reasons.is_empty() => Ok(()),
        reasons => Err(UpgradeError::Layouts { release: release.short(), reasons }),
    }
}

/// The releases of a supervisor that could try one now. Asked before anything is written.
fn known(directories: &Directories) -> Result<Releases, UpgradeError> {
    let state = Client::connect(&directories.run(), ANSWER).and_then(|mut client| client.state());
    let state = state.map_err(|error| match error {
        ClientError::NotRunning { .. } => UpgradeError::NotRunning { run_dir: directories.run_dir.clone() },
        ClientError::Refused { reason, versions } => {
            UpgradeError::ForeignProtocol { reason, versions, ours: VERSION }
        }
        error => UpgradeError::Supervisor(error),
    })?;
    let keeps_none = UpgradeError::KeepsNone { release: state.release, pid: state.pid };
    let releases = state.releases.ok_or(keeps_none)?;
    match &releases.candidate {
        Some(candidate) => {
            let release = candidate.release.get(..16).unwrap_or(&candidate.release).into();
            Err(UpgradeError::Busy { release })
        }
        None => Ok(releases),
    }
}

/// The lock is held until the supervisor has taken the release up: nobody may take it for a stray before.
fn stage_there(store: &Store, source: &Source, stamps: &mut Stamps) -> Result<StoreLock, ReleaseError> {
    store.make()?;
    let held = store.lock(STAGING)?;
    // Where it stands there already, it may be the source.
    sweep(store, &held, Some(source.digest))?;
    stage(store, &held, source, stamps)?;
    stamps.save();
    Ok(held)
}

/// Where it is not known what to keep, everything is kept.
fn sweep(store: &Store, held: &StoreLock, wanted: Option<Digest>) -> Result<(), ReleaseError> {
    match LedgerFile::of(store).read() {
        Ok(Some(ledger)) => {
            let keep: Vec<_> = ledger.kept().into_iter().chain(wanted).collect();
            store.sweep(held, &keep)
        }
        _ => Ok(()),
    }
}

fn attempt(
    directories: &Directories,
    release: &Digest,
    tries: u32,
    accept_loss: &[Table],
) -> Result<u64, UpgradeError> {
    let digest = release.to_string();
    let asked = Client::connect(&directories.run(), ANSWER).and_then(|mut client| match accept_loss {
        [] => client.upgrade(&digest, tries),
        maps => {
            client.upgrade_with_loss(&digest, tries, maps.iter().map(|map| map.name().to_owned()).collect())
        }
    });
    asked.map_err(|error| match error {
        ClientError::Refused { reason, versions } => {
            UpgradeError::Refused { release: release.short(), reason, versions, ours: VERSION }
        }
        error => UpgradeError::Supervisor(error),
    })
}

fn show(
    output: Output,
    before: &Releases,
    release: &Digest,
    store: &Store,
    staged_again: bool,
) -> Result<Exit, Failure> {
    let version = store.described(release).ok().map(|release| release.version().to_owned());
    let changed = before.committed != release.to_string();
    let from = before.committed.clone();
    output.show(&Upgraded { release: release.to_string(), version, from, changed, staged_again })?;
    Ok(Exit::Ok)
}

/// What `upgrade --to` and `upgrade rollback` show when it went well. Field names stay.
#[derive(Debug, Serialize)]
struct Upgraded {
    /// What is committed.
    release: String,
    version: Option<String>,
    /// What was committed before.
    from: String,
    /// False: it was committed already.
    changed: bool,
    /// It was committed already, and damaged on disk.
    staged_again: bool,
}

impl fmt::Display for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.version.as_ref().map(|version| format!(" ({version})")).unwrap_or_default();
        let [release, from] = [&self.release, &self.from].map(|digest| digest.get(..16).unwrap_or(digest));
        match self.changed {
            _ if self.staged_again => writeln!(
                f,
                "Release {release}{version} is committed already; it was damaged on disk, and is staged again."
            ),
            true => writeln!(
                f,
                "Release {release}{version} runs; release {from} is kept: `evermesh upgrade rollback` goes back."
            ),
            false => writeln!(f, "Release {release}{version} runs already."),
        }
    }
}
