use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::Parser;
use evermesh_handover::gate::Gate;

use crate::machine::Settings;

/// Starts, watches and replaces the Evermesh agent. Ending it, in whatever way, keeps the data path.
///
/// Exit codes: 0 told to end, or handed over; 1 failed; 2 wrong command line; 70 a takeover was rolled back;
/// 75 another supervisor is in charge; 78 a directory or the agent's configuration is unusable.
#[derive(Clone, Debug, Parser)]
#[command(name = "evermesh-supervisor", version, args_override_self = true)]
pub struct Options {
    /// Where sockets, lock and state file are; created if it does not exist.
    #[arg(long, value_name = "DIR")]
    pub run_dir: PathBuf,

    /// Where releases and a recorded intent are; created if it does not exist.
    #[arg(long, value_name = "DIR")]
    pub state_dir: PathBuf,

    /// The agent, whatever releases are staged [default: that of the committed release].
    #[arg(long, value_name = "PATH")]
    pub agent: Option<PathBuf>,

    /// How long a ready agent may be silent before it is killed and replaced.
    #[arg(long, value_name = "MS", default_value_t = 5_000, value_parser = milliseconds())]
    pub watchdog_ms: u64,

    /// How long an agent may take to become ready.
    #[arg(long, value_name = "MS", default_value_t = 60_000, value_parser = milliseconds())]
    pub start_timeout_ms: u64,

    /// How long an agent may take to end before it is killed.
    #[arg(long, value_name = "MS", default_value_t = 10_000, value_parser = milliseconds())]
    pub stop_timeout_ms: u64,

    /// Take over from a supervisor that runs with this run directory; it takes back if this fails.
    #[arg(long)]
    pub takeover: bool,

    /// How long the agent of a takeover may take to become ready.
    #[arg(long, value_name = "MS", default_value_t = 120_000, value_parser = milliseconds())]
    pub takeover_timeout_ms: u64,

    /// How long the agent of a takeover must have been ready; at the first sign of life after that the old supervisor ends.
    #[arg(long, value_name = "MS", default_value_t = 3_000, value_parser = milliseconds())]
    pub takeover_gate_ms: u64,

    /// How long traffic must have run on a new generation before it stays.
    #[arg(long, value_name = "MS", default_value_t = 3_000, value_parser = milliseconds())]
    pub gate_ms: u64,

    /// By how much the share of flows that fail may grow on a new generation, in parts per thousand.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub gate_failures_permille: u64,

    /// How long the agent of a release on trial must have been ready before the release is committed.
    #[arg(long, value_name = "MS", default_value_t = 3_000, value_parser = milliseconds())]
    pub trial_gate_ms: u64,

    /// How long the committed release runs before a failed one is tried again; six times as long the next time.
    #[arg(long, value_name = "MS", default_value_t = 10_000, value_parser = milliseconds())]
    pub trial_pause_ms: u64,

    /// Maps that this release may do without what stands in, if it takes over or is tried from the start on and nothing can carry that
    /// over.
    #[arg(long, value_name = "MAP", value_delimiter = ',')]
    pub accept_loss: Vec<String>,

    /// Say whether a supervisor of this release would find what it needs here, and end.
    #[arg(long, hide = true)]
    pub check: bool,

    /// Arguments for the agent.
    #[arg(last = true, value_name = "AGENT-ARGS")]
    pub agent_args: Vec<OsString>,
}

impl Options {
    /// The times among the options.
    pub fn settings(&self) -> Settings {
        Settings {
            watchdog: Duration::from_millis(self.watchdog_ms),
            start_timeout: Duration::from_millis(self.start_timeout_ms),
            stop_timeout: Duration::from_millis(self.stop_timeout_ms),
            takeover_gate: Duration::from_millis(self.takeover_gate_ms),
            takeover_timeout: Duration::from_millis(self.takeover_timeout_ms),
            gate: Gate {
                time: Duration::from_millis(self.gate_ms),
                failures_permille: self.gate_failures_permille,
            },
            trial_gate: Duration::from_millis(self.trial_gate_ms),
            trial_pause: Duration::from_millis(self.trial_pause_ms),
            ..Settings::default()
        }
    }
}

/// Up to a day: more is a slip of the pen, and no sum of such times overflows.
fn milliseconds() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(1..=86_400_000)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn the_agents_arguments_are_not_looked_at() {
        let line = "supervisor --run-dir /r --state-dir /s -- --watchdog-ms x -- --takeover";
        let options = Options::try_parse_from(line.split(' ')).unwrap();
        assert_eq!(options.agent_args, ["--watchdog-ms", "x", "--", "--takeover"]);
        assert!(!options.takeover);
    }

    #[test]
    fn defaults_are_those_of_the_settings() {
        let options = Options::try_parse_from(["supervisor", "--run-dir=/r", "--state-dir=/s"]).unwrap();
        assert_eq!(format!("{:?}", options.settings()), format!("{:?}", Settings::default()));
    }
}
