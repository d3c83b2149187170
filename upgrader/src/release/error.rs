use std::{io, path::PathBuf, process::ExitStatus, time::Duration};

use super::Digest;

/// Why a release cannot be staged or run.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// What was named is neither a directory nor one of the programs.
    #[error(
        "{path} is no release: name a directory with evermesh, evermesh-supervisor and evermesh-agent, or one of these programs"
    )]
    NoRelease {
        /// What was named.
        path: PathBuf,
    },
    /// A program is missing or is no executable file.
    #[error(
        "{path} is {what}, so {dir} is no release; put evermesh, evermesh-supervisor and evermesh-agent of one version there"
    )]
    NoProgram {
        /// The program.
        path: PathBuf,
        /// What it is instead.
        what: &'static str,
        /// Where the release should be.
        dir: PathBuf,
    },
    /// The disk is too full.
    #[error(
        "there is no room for release {release} in {path}: {needed} bytes are needed, {free} are free; make room, or name another --state-dir"
    )]
    NoRoom {
        /// The release.
        release: String,
        /// The store.
        path: PathBuf,
        /// What it takes, with a reserve.
        needed: u64,
        /// What there is.
        free: u64,
    },
    /// A file is not what it was when it was measured.
    #[error("{path} is damaged: its SHA-256 digest is {found}, not {expected}; {remedy}")]
    Differs {
        /// The file.
        path: PathBuf,
        /// What it should be.
        expected: Digest,
        /// What it is.
        found: Digest,
        /// What to do.
        remedy: &'static str,
    },
    /// A description is unreadable or does not fit.
    #[error(
        "{path} does not describe release {release}: {what}; stage the release again with `evermesh upgrade --to`"
    )]
    Description {
        /// `release.json`.
        path: PathBuf,
        /// The release.
        release: String,
        /// What is wrong.
        what: String,
    },
    /// Nothing of it is on disk.
    #[error("release {release} is not staged: there is no {path}; stage it with `evermesh upgrade --to`")]
    NotStaged {
        /// The release.
        release: String,
        /// Where it should be.
        path: PathBuf,
    },
    /// Its supervisor says that it would not find what it needs.
    #[error("the release's supervisor `{}` would not do here ({status}): {said}", path.display())]
    Supervisor {
        /// The program.
        path: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// Its words.
        said: String,
    },
    /// A program does not run here.
    #[error(
        "{program} does not run on this node: `{path} --version` {what}; is it built for this machine, and may programs run from there?"
    )]
    DoesNotRun {
        /// Its name.
        program: String,
        /// Where it was tried.
        path: PathBuf,
        /// What happened.
        what: String,
    },
    /// Somebody else stages or removes releases.
    #[error("another process stages a release in {path}, for longer than {} ms; try again", waited.as_millis())]
    Busy {
        /// The store.
        path: PathBuf,
        /// How long it was waited for.
        waited: Duration,
    },
    /// A file or directory cannot be worked on.
    #[error("cannot {step} {path}: {source}")]
    Io {
        /// What was tried.
        step: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// For `map_err`.
pub fn failed(step: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> ReleaseError {
    let path = path.into();
    move |source| ReleaseError::Io { step, path, source }
}
