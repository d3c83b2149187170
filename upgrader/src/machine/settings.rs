use std::time::Duration;

use evermesh_handover::gate::Gate;

/// The times by which a supervisor judges its agent.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long a ready agent may be silent before it counts as hung.
    pub watchdog: Duration,
    /// How long an agent may take to become ready, or the committed release to step down, the gate's time apart.
    pub start_timeout: Duration,
    /// How long an agent may take to end when it is asked to.
    pub stop_timeout: Duration,
    /// The pause before the second restart in a row; the first one is immediate, each further pause doubles.
    pub backoff_first: Duration,
    /// The longest pause between restarts.
    pub backoff_max: Duration,
    /// How long an agent must have been ready for its next restart to count as the first one again.
    pub ran_well: Duration,
    /// How long the agent of a takeover must have been ready; at the first sign of life after that the old supervisor is told to end.
    pub takeover_gate: Duration,
    /// How long the agent of a takeover may take to become ready before everything is given back, the gate's time apart.
    pub takeover_timeout: Duration,
    /// By what a generation on trial is judged.
    pub gate: Gate,
    /// How long the agent of a candidate must have been ready; the first sign of life after that proves it.
    pub trial_gate: Duration,
    /// How long the committed release runs before a candidate that has failed is tried again; six times as long the
    /// next time.
    pub trial_pause: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            watchdog: Duration::from_secs(5),
            start_timeout: Duration::from_secs(60),
            stop_timeout: Duration::from_secs(10),
            backoff_first: Duration::from_millis(100),
            backoff_max: Duration::from_secs(10),
            ran_well: Duration::from_secs(10),
            takeover_gate: Duration::from_secs(3),
            takeover_timeout: Duration::from_secs(120),
            gate: Gate::default(),
            trial_gate: Duration::from_secs(3),
            trial_pause: Duration::from_secs(10),
        }
    }
}

impl Settings {
    /// How long the committed release may take to step down: as long as an agent to become ready.
    pub fn step_down_within(&self) -> Duration {
        self.start_timeout + self.gate.time
    }

    /// How long the agent of a takeover may take to become ready, which it is when its generation stays.
    pub fn take_over_within(&self) -> Duration {
        self.takeover_timeout + self.gate.time
    }

    /// How long an old supervisor may take to yield: to stop its agent and to have its release step down, by the times of this one.
    /// Its own may be longer: hence the margin.
    pub fn yield_within(&self) -> Duration {
        const MARGIN: Duration = Duration::from_mins(1);
        self.stop_timeout + self.step_down_within() + MARGIN
    }

    /// How long the old supervisor must wait for a word: until this side has given up by itself, also if its agent hangs when it was
    /// ready, with a margin for a slow machine.
    pub fn commit_within(&self) -> Duration {
        const MARGIN: Duration = Duration::from_secs(5);
        self.take_over_within() + self.takeover_gate + self.watchdog + self.stop_timeout + MARGIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_gate_makes_everything_longer_that_a_generation_has_to_pass_it_in() {
        let all = |settings: Settings| {
            [
                settings.step_down_within(),
                settings.take_over_within(),
                settings.yield_within(),
                settings.commit_within(),
            ]
        };
        let (short, longer) = (Settings::default(), Duration::from_secs(117));
        let gate = Gate { time: short.gate.time + longer, ..short.gate };
        assert_eq!(all(Settings { gate, ..short }), all(short).map(|time| time + longer));
    }
}
