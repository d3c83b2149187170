use std::process::ExitCode;

/// What `evermesh` exits with. Scripts rely on these numbers; they never change their meaning. `run` becomes the
/// supervisor, which uses the same ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// Not done; the message says why. `config diff`: the source and the tables differ.
    Failure = 1,
    /// The arguments make no sense.
    Usage = 2,
    /// `status`: something is dead, missing or foreign, or the last configuration was refused.
    Degraded = 3,
    /// `run --takeover`: the agent did not become ready in time; the old supervisor runs again.
    RolledBack = 70,
    /// `run`: another supervisor runs with this run directory, or refuses to yield. Trying again may help.
    Busy = 75,
    /// The host or the configuration must be changed first: not root, no bpffs, no cgroup v2, a wrong file on a
    /// fresh node, a state directory that cannot be written.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
