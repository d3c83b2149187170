use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use crate::{Access, Error, Result, layout::Layout};

/// Where logs are collected; names another place than a directory among temporary files.
const VARIABLE: &str = "EVERMESH_CLUSTER_LOGS";

/// What the API server knows, for whoever looks for a cause.
const QUESTIONS: [(&str, &[&str]); 3] = [
    ("objects", &["get", "all", "--all-namespaces", "--output=wide", "--request-timeout=5s"]),
    ("events", &["get", "events", "--all-namespaces", "--output=wide", "--request-timeout=5s"]),
    ("nodes", &["describe", "nodes", "--request-timeout=5s"]),
];

/// Copies the logs of every component and of every pod aside, and gives the directory. What cannot be had is left out: they
/// are wanted when something is wrong.
pub(crate) fn collect(access: &Access) -> Result<PathBuf> {
    let layout = Layout::of(access.name());
    let parent =
        env::var_os(VARIABLE).map_or_else(|| env::temp_dir().join("evermesh-cluster-logs"), PathBuf::from);
    let dir = parent.join(access.name().to_string());
    // Of an earlier cluster of that name, if there are any.
    let _ = fs::remove_dir_all(&dir);
    copy(&layout.log_dir(), &dir).map_err(Error::path("copy logs to", &dir))?;
    for number in 1..=layout.nodes() {
        // No pod ever ran there: there is nothing to copy.
        let _ = copy(&layout.node(number).join("log/pods"), &dir.join(format!("node{number}-pods")));
    }
    for (name, question) in QUESTIONS {
        let answer = access.kubectl(question).unwrap_or_else(|error| error.to_string());
        fs::write(dir.join(name), answer).map_err(Error::path("write", &dir))?;
    }
    Ok(dir)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)?.flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type()? {
            kind if kind.is_dir() => copy(&from, &to)?,
            kind if kind.is_file() => fs::copy(&from, &to).map(drop)?,
            _ => {}
        }
    }
    Ok(())
}
