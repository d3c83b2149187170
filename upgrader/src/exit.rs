use std::{fmt, process::ExitCode};

use evermesh_handover::Intent;

/// Why a supervisor ends, and the exit code that tells so. The codes above 63 are those of `sysexits.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: it was told to, by SIGTERM, SIGINT or a `stop` request; the agent has ended.
    Stopped(Intent),
    /// 0: a new supervisor has taken over and proven itself.
    HandedOver,
    /// 1: the system refused something that it needs; the message says what.
    Failed,
    /// 70: it took over, and its agent did not become ready in time or was called back: the old supervisor
    /// runs again.
    RolledBack,
    /// 75: another supervisor runs with this run directory, or refuses to yield. Trying again may help.
    Busy,
    /// 78: a directory, or what the agent found on its very first start, is unusable. Trying again does not help.
    /// The agent says the same with the same code.
    Config,
}

impl Exit {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Stopped(_) | Self::HandedOver => 0,
            Self::Failed => 1,
            Self::RolledBack => 70,
            Self::Busy => 75,
            Self::Config => 78,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// What the user should know when the supervisor is gone.
impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopped(Intent::Uninstall) => "Evermesh has stopped, to be uninstalled.",
            Self::Stopped(_) => {
                "Evermesh has stopped. The data path is kept: services stay reachable as they are configured now.\n\
                 Start it again with `evermesh run`, or remove the data path with `evermesh uninstall`."
            }
            Self::HandedOver => "A new supervisor has taken over.",
            Self::Failed => "The supervisor failed. The data path is kept.",
            Self::RolledBack => "The takeover was rolled back: the old supervisor runs the agent again.",
            Self::Busy => "Another supervisor is in charge.",
            Self::Config => {
                "The agent cannot work with this configuration or environment: see its message above. \
                 What it found of the data path is kept."
            }
        })
    }
}
