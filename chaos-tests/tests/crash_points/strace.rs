//! Processes whose system calls are counted and disturbed.

use std::{fs, path::PathBuf, process::Command};

use crate::plane::Plane;

/// Calls by which a start, a change of generation, the journal and an uninstallation change something.
pub const CALLS: &str =
    "bpf,mkdir,mkdirat,rmdir,unlink,unlinkat,rename,renameat,renameat2,symlink,symlinkat,fsync,membarrier";

/// How many there are in a run that nothing disturbs.
pub fn calls(plane: &Plane, command: Command) -> usize {
    let trace = traced(plane, &["-e", &format!("trace={CALLS}")], &command);
    fs::read_to_string(trace).unwrap().lines().filter(|line| line.contains('(')).count()
}

/// Runs it with strace, which writes into a file.
pub fn traced(plane: &Plane, options: &[&str], command: &Command) -> PathBuf {
    let file = plane.directory().join("trace");
    let mut strace = Command::new("strace");
    strace.arg("-o").arg(&file).args(options).arg(command.get_program()).args(command.get_args());
    strace.output().unwrap();
    file
}
