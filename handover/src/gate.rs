//! What a generation on trial must show before it stays.
//!
//! The agent collects the evidence and asks; the supervisor judges. Without its word the agent rolls back. An agent that
//! was started by hand or by systemd has nobody to ask, and judges by the same rule.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// What was seen of a generation since traffic runs on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The generation.
    pub generation: u32,
    /// How long traffic has run on it, in milliseconds.
    pub age_ms: u64,
    /// Flows on it.
    pub now: Flows,
    /// Flows on the generation before, right before the switch; from a release before this one, all the time that it was live.
    pub before: Flows,
    /// Stores that it would take to lead the tables to the model; 0: they say the same.
    pub differences: u64,
    /// What became of the agent's own connections through the hooks; absent where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentinels: Option<Sentinels>,
}

/// Flows to services, as the programs count them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flows {
    /// Led to an endpoint.
    pub translated: u64,
    /// Refused.
    pub failed: u64,
}

/// Connections that the agent made to itself through every hook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sentinels {
    /// Those that came where they should, and saw what they should.
    pub passed: u64,
    /// Those that did not.
    pub failed: u64,
    /// What one of these saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
}

/// What becomes of a generation on trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "word", rename_all = "snake_case")]
pub enum Verdict {
    /// Ask again, with more evidence.
    Wait,
    /// It stays.
    Commit,
    /// The one before takes over again.
    RollBack {
        /// Why, for a human.
        reason: String,
    },
}

/// By what a generation on trial is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate {
    /// How long traffic must have run on it.
    pub time: Duration,
    /// By how much the share of flows that fail may grow, in parts per thousand; by a quarter of itself in any case.
    pub failures_permille: u64,
}

impl Default for Gate {
    fn default() -> Self {
        Self { time: Duration::from_secs(3), failures_permille: 10 }
    }
}

impl Gate {
    /// Fewer failures than that are no share of anything.
    const FAILURES_MIN: u64 = 10;

    /// What becomes of it, by what was seen so far.
    pub fn judge(&self, evidence: &Evidence) -> Verdict {
        match self.fault(evidence) {
            Some(reason) => Verdict::RollBack { reason },
            None if u128::from(evidence.age_ms) < self.time.as_millis() => Verdict::Wait,
            None => Verdict::Commit,
        }
    }

    fn fault(&self, evidence: &Evidence) -> Option<String> {
        if let Some(Sentinels { passed, failed: failed @ 1.., example }) = &evidence.sentinels {
            let example = example.as_deref().unwrap_or("no more is known");
            return Some(format!("{failed} of {} sentinels failed: {example}", passed + failed));
        }
        if evidence.differences > 0 {
            let differences = evidence.differences;
            return Some(format!("the tables differ from the model in {differences} places"));
        }
        let (now, before) = (evidence.now, evidence.before);
        // Where much is refused anyway, its share moves with what applications happen to ask for.
        let tolerated = before.at_worst().failed_permille() * 5 / 4 + self.failures_permille;
        (now.failed >= Self::FAILURES_MIN && now.failed_permille() > tolerated)
            .then(|| format!("{now} fail, before it were {before}"))
    }
}

impl Flows {
    /// So many more may fail by chance: twice the deviation of a count.
    fn at_worst(self) -> Self {
        let chance = (2 * self.failed.isqrt()).min(self.translated);
        Self { translated: self.translated - chance, failed: self.failed + chance }
    }

    fn failed_permille(self) -> u64 {
        let all = u128::from(self.translated) + u128::from(self.failed);
        let share = u128::from(self.failed) * 1000 / all.max(1);
        u64::try_from(share).unwrap_or(1000)
    }
}

impl fmt::Display for Flows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} flows", self.failed, u128::from(self.translated) + u128::from(self.failed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GATE: Gate = Gate { time: Duration::from_millis(500), failures_permille: 10 };

    fn flows(translated: u64, failed: u64) -> Flows {
        Flows { translated, failed }
    }

    fn evidence(age_ms: u64, now: Flows, before: Flows) -> Evidence {
        Evidence { generation: 2, age_ms, now, before, ..Evidence::default() }
    }

    fn reason(verdict: Verdict) -> String {
        let Verdict::RollBack { reason } = verdict else { panic!("{verdict:?}") };
        reason
    }

    #[test]
    fn a_generation_without_faults_stays_when_its_time_is_over() {
        let quiet = |age_ms| GATE.judge(&evidence(age_ms, flows(0, 0), flows(0, 0)));
        assert_eq!((quiet(499), quiet(500)), (Verdict::Wait, Verdict::Commit));
    }

    #[test]
    fn failures_count_against_what_failed_before() {
        let judged = |now, before| GATE.judge(&evidence(500, now, before));
        assert_eq!(judged(flows(1000, 9), flows(1000, 0)), Verdict::Commit);
        assert_eq!(judged(flows(900, 100), flows(900, 100)), Verdict::Commit);
        assert_eq!(judged(flows(1265, 2676), flows(56_890, 113_266)), Verdict::Commit);
        let more = reason(judged(flows(900, 100), flows(1000, 0)));
        insta::assert_snapshot!(more, @"100 of 1000 flows fail, before it were 0 of 1000 flows");
    }

    /// A node where one flow in two fails anyway, and few come.
    #[test]
    fn few_failures_before_may_have_been_few_by_chance() {
        let judged = |now, before| GATE.judge(&evidence(500, now, before));
        assert_eq!(judged(flows(15, 15), flows(18, 12)), Verdict::Commit);
        assert_eq!(judged(flows(15, 15), flows(21, 9)), Verdict::Commit);
        insta::assert_snapshot!(reason(judged(flows(15, 15), flows(29, 1))), @"15 of 30 flows fail, before it were 1 of 30 flows");
    }

    #[test]
    fn a_fault_is_not_waited_for() {
        let failing = evidence(1, flows(0, 50), flows(100, 0));
        insta::assert_snapshot!(reason(GATE.judge(&failing)), @"50 of 50 flows fail, before it were 0 of 100 flows");
        let differing = Evidence { differences: 3, ..evidence(1, flows(0, 0), flows(0, 0)) };
        insta::assert_snapshot!(reason(GATE.judge(&differing)), @"the tables differ from the model in 3 places");
        let example = Some("connect4 reached 127.0.0.1:1".into());
        let sentinels = Some(Sentinels { passed: 40, failed: 2, example });
        let astray = Evidence { sentinels, ..evidence(500, flows(0, 0), flows(0, 0)) };
        insta::assert_snapshot!(reason(GATE.judge(&astray)), @"2 of 42 sentinels failed: connect4 reached 127.0.0.1:1");
    }
}
