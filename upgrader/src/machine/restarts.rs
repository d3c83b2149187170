use std::{collections::BTreeMap, os::unix::process::ExitStatusExt as _, process::ExitStatus};

use nix::sys::signal::Signal;

use crate::Exit;

/// Why an agent had to be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// It failed: an exit code that is neither 0 nor 78, or a signal such as SIGSEGV or SIGABRT.
    Crash,
    /// Somebody else, the kernel's OOM killer for example, ended it with SIGKILL, SIGTERM or SIGINT.
    Killed,
    /// It was ready and fell silent, or said that it is stuck; the supervisor killed it.
    Hung,
    /// It did not become ready in time; the supervisor killed it.
    StartTimeout,
    /// It ended with code 78: its configuration or environment is unusable.
    Config,
    /// It ended with code 0 although nobody asked it to.
    Exit,
    /// It could not be started at all.
    Spawn,
}

impl Cause {
    const ALL: [Self; 7] =
        [Self::Crash, Self::Killed, Self::Hung, Self::StartTimeout, Self::Config, Self::Exit, Self::Spawn];

    /// What an end that the supervisor did not bring about says.
    pub fn of(status: ExitStatus) -> Self {
        const FROM_OUTSIDE: [i32; 3] =
            [Signal::SIGKILL as i32, Signal::SIGTERM as i32, Signal::SIGINT as i32];
        match (status.code(), status.signal()) {
            (Some(0), _) => Self::Exit,
            (Some(code), _) if code == i32::from(Exit::Config.code()) => Self::Config,
            (None, Some(signal)) if FROM_OUTSIDE.contains(&signal) => Self::Killed,
            _ => Self::Crash,
        }
    }

    /// The word for it in [`State::restarts`](evermesh_handover::message::State::restarts).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Killed => "killed",
            Self::Hung => "hung",
            Self::StartTimeout => "start-timeout",
            Self::Config => "config",
            Self::Exit => "exit",
            Self::Spawn => "spawn",
        }
    }
}

/// How often the agent was replaced, by cause.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restarts(BTreeMap<Cause, u64>);

impl Restarts {
    /// One more.
    pub fn count(&mut self, cause: Cause) {
        *self.0.entry(cause).or_default() += 1;
    }

    /// How often for that cause.
    pub fn of(&self, cause: Cause) -> u64 {
        self.0.get(&cause).copied().unwrap_or_default()
    }

    /// Every cause by its word, also those that did not occur.
    pub fn by_word(&self) -> BTreeMap<String, u64> {
        Cause::ALL.into_iter().map(|cause| (cause.as_str().into(), self.of(cause))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_by_code_or_signal() {
        let exited = |code: i32| Cause::of(ExitStatus::from_raw(code << 8));
        let signalled = |signal: Signal| Cause::of(ExitStatus::from_raw(signal as i32));
        assert_eq!([exited(0), exited(1), exited(78)], [Cause::Exit, Cause::Crash, Cause::Config]);
        assert_eq!([signalled(Signal::SIGKILL), signalled(Signal::SIGTERM)], [Cause::Killed; 2]);
        assert_eq!([signalled(Signal::SIGSEGV), signalled(Signal::SIGABRT)], [Cause::Crash; 2]);
    }

    #[test]
    fn every_cause_is_shown() {
        let mut restarts = Restarts::default();
        restarts.count(Cause::Hung);
        let shown = restarts.by_word();
        assert_eq!((shown.len(), shown["hung"], shown["crash"]), (7, 1, 0));
    }
}
