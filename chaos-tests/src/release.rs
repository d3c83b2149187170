//! Other releases, from the programs under test.

use std::{
    fs::{self, OpenOptions, Permissions},
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use crate::{Error, Result, binaries};

const AGENT: &str = "evermesh-agent";
const OTHERS: [&str; 2] = ["evermesh", "evermesh-supervisor"];

/// The programs under test under another digest, in a new directory of that name.
pub fn same(dir: &Path, name: &str) -> Result<PathBuf> {
    let release = begin(dir, name)?;
    let agent = release.join(AGENT);
    copy(&binaries::find(AGENT)?, &agent)?;
    // What follows the last section of a program is of no account.
    let appended = OpenOptions::new().append(true).open(&agent).and_then(|mut it| it.write_all(b"\0"));
    appended.map_err(Error::path("write to", &agent))?;
    Ok(release)
}

/// A release whose agent brings the kernel programs of a variant.
pub fn of_variant(dir: &Path, variant: &str) -> Result<PathBuf> {
    let (programs, agent) = (binaries::variant(variant)?, binaries::find(AGENT)?);
    let body = format!("EVERMESH_PROGRAMS={} exec {} \"$@\"", programs.display(), agent.display());
    scripted(dir, variant, &body)
}

/// A release whose agent says a version but not its layouts, and otherwise does that, a piece of a shell script.
pub fn with_agent(dir: &Path, name: &str, body: &str) -> Result<PathBuf> {
    scripted(dir, name, &format!("[ \"$1\" = layouts ] && exit 2\n{body}"))
}

/// The programs under test, but for a supervisor that says a version and otherwise does that, a piece of a shell script.
pub fn with_supervisor(dir: &Path, name: &str, body: &str) -> Result<PathBuf> {
    let release = same(dir, name)?;
    script(&release.join("evermesh-supervisor"), name, body)?;
    Ok(release)
}

fn scripted(dir: &Path, name: &str, body: &str) -> Result<PathBuf> {
    let release = begin(dir, name)?;
    script(&release.join(AGENT), name, body)?;
    Ok(release)
}

fn script(path: &Path, name: &str, body: &str) -> Result<()> {
    let script = format!("#!/bin/sh\n[ \"$1\" = --version ] && echo {name} && exit\n{body}\n");
    fs::write(path, script)
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o755)))
        .map_err(Error::path("write", path))
}

fn begin(dir: &Path, name: &str) -> Result<PathBuf> {
    let release = dir.join(name);
    fs::create_dir_all(&release).map_err(Error::path("create", &release))?;
    for program in OTHERS {
        copy(&binaries::find(program)?, &release.join(program))?;
    }
    Ok(release)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(drop).map_err(Error::path("copy to", to))
}
