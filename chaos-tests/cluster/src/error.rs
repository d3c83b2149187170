use std::{
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Output},
};

use nix::errno::Errno;

use crate::ClusterName;

/// What could not be done with a cluster.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something of the test rig that clusters stand on.
    #[error(transparent)]
    Rig(#[from] evermesh_chaos_tests::Error),
    /// Text that is no cluster's name.
    #[error(
        "`{name}` is no name for a cluster: write 1 to {max} of a-z, 0-9 and `-`, the first and last no `-`"
    )]
    Name {
        /// The text.
        name: String,
        /// Longest allowed.
        max: usize,
    },
    /// A cluster of no nodes, or of more than there are addresses for.
    #[error("a cluster cannot have {asked} nodes: ask for 1 to {max}")]
    NodeCount {
        /// What was asked for.
        asked: usize,
        /// Most that are possible.
        max: usize,
    },
    /// Somebody brings the cluster up, takes it down, or owns it as a test.
    #[error("another process holds the cluster `{name}`: wait for it, or choose another name with --name")]
    Held {
        /// Which.
        name: ClusterName,
    },
    /// It is there already.
    #[error(
        "the cluster `{name}` is up: use it, or take it down first (`evermesh-cluster down --name {name}`)"
    )]
    Up {
        /// Which.
        name: ClusterName,
    },
    /// It is not there.
    #[error("there is no cluster `{name}`: bring it up (`evermesh-cluster up --name {name}`)")]
    Down {
        /// Which.
        name: ClusterName,
    },
    /// A node that the cluster does not have.
    #[error("the cluster `{name}` has no node {number}: its nodes are 1 to {nodes}")]
    NoNode {
        /// Which cluster.
        name: ClusterName,
        /// The number asked for.
        number: usize,
        /// How many it has.
        nodes: usize,
    },
    /// A file or directory could not be used.
    #[error("cannot {action} {path}: {source}", path = path.display())]
    Path {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A mount or a namespace was refused.
    #[error("cannot {action} {path}: {source}; clusters need root", path = path.display())]
    Kernel {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: Errno,
    },
    /// A program is not installed.
    #[error(
        "{program} is not installed: it comes with Debian's package {package} (`scripts/bootstrap cluster`)"
    )]
    NoProgram {
        /// The program.
        program: String,
        /// What it is part of.
        package: &'static str,
    },
    /// The cache lies where nodes do not see it.
    #[error("the cache {} lies below a directory that every node has of its own: name another one in EVERMESH_CLUSTER_CACHE", .0.display())]
    Cache(PathBuf),
    /// A Go program could not be built.
    #[error("cannot build {program} with Go: {why}")]
    Build {
        /// Which.
        program: &'static str,
        /// The end of what Go said, or why it did not start.
        why: String,
    },
    /// A program did not start.
    #[error("cannot start {program}: {source}", program = program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A command ended with an error.
    #[error("`{command}` failed ({status}): {said}")]
    Command {
        /// The command line.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it said.
        said: String,
    },
    /// A component ended before the cluster was ready.
    #[error("{what} ended by itself ({status}); the end of its log:\n{log}")]
    Ended {
        /// Which.
        what: String,
        /// How.
        status: ExitStatus,
        /// What it said last.
        log: String,
    },
    /// A certificate could not be made.
    #[error("cannot make the certificate of {subject}: {source}")]
    Certificate {
        /// Whose.
        subject: String,
        /// Why not.
        source: rcgen::Error,
    },
    /// An image's definition says what is not understood here.
    #[error("{path}:{line}: {why}", path = path.display())]
    Containerfile {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong there.
        why: String,
    },
    /// A file that is to go into an image is nowhere.
    #[error("`{file}` for the image {image} is in none of {dirs:?}: build it first")]
    NoFile {
        /// The file.
        file: String,
        /// For which image.
        image: String,
        /// Where it was looked for.
        dirs: Vec<PathBuf>,
    },
    /// The definitions of Istio's resources are nowhere.
    #[error(
        "Istio's resources are not defined at {path}: put `crd-all.gen.yaml` of the same release there, or name it in {variable}",
        path = path.display()
    )]
    NoDefinitions {
        /// Where they were looked for.
        path: PathBuf,
        /// What may name another place.
        variable: &'static str,
    },
    /// Something of a cluster is still there after it was removed.
    #[error("left behind: {0}")]
    LeftBehind(String),
}

/// Result of what is done with clusters.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// For `map_err` on what the standard library does to a path.
    pub(crate) fn path(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Path { action, path, source }
    }

    /// For `map_err` on a system call that concerns a path.
    pub(crate) fn kernel(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(Errno) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Kernel { action, path, source }
    }

    /// What a command has printed, if it succeeded.
    pub(crate) fn unless_done(command: String, output: Output) -> Result<String> {
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
        Err(Self::Command { command, status: output.status, said })
    }
}
