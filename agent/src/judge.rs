use std::{path::Path, time::Duration};

use evermesh_handover::{
    Client, ClientError, RunDir,
    gate::{Evidence, Flows, Gate, Sentinels, Verdict},
};
use evermesh_loader::Report;
use tracing::warn;

use crate::supervisor;

/// How long the supervisor may take to say its word. It is one process without other work.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who says what becomes of a generation on trial: the supervisor. Where none has started this agent, or one of a release that
/// knows nothing of it, the same rule is followed here.
#[derive(Clone, Debug)]
pub struct Judge {
    run_dir: RunDir,
    /// The supervisor of this run directory has started this agent, and lives: the agent ends with it.
    supervised: bool,
    patience: Duration,
    own: Gate,
}

impl Judge {
    /// How often it is asked: a generation on trial shows something new by then.
    pub const EVERY: Duration = Duration::from_millis(100);

    pub fn new(run_dir: &Path) -> Self {
        let run_dir = RunDir::new(run_dir);
        let supervised = supervisor::is_told_at(&run_dir.notify_socket());
        Self { run_dir, supervised, patience: PATIENCE, own: Gate::default() }
    }

    /// Blocks. Whoever is there and says nothing that can be understood, or cannot be reached, has not said that it stays.
    pub fn judge(&self, report: &Report) -> Verdict {
        let evidence = evidence(report);
        let asked = Client::connect(&self.run_dir, self.patience).and_then(|mut it| it.judge(&evidence));
        match asked {
            Ok(verdict) => verdict,
            Err(ClientError::NotRunning { .. }) if !self.supervised => self.own.judge(&evidence),
            Err(ClientError::Refused { .. }) => self.own.judge(&evidence),
            Err(error) => {
                warn!(%error, "the supervisor has no word on the new generation");
                Verdict::RollBack { reason: error.to_string() }
            }
        }
    }
}

fn evidence(report: &Report) -> Evidence {
    let flows = |flows: evermesh_loader::Flows| Flows { translated: flows.translated, failed: flows.failed };
    Evidence {
        generation: report.generation,
        age_ms: u64::try_from(report.age.as_millis()).unwrap_or(u64::MAX),
        now: flows(report.now),
        before: flows(report.before),
        differences: report.differences as u64,
        sentinels: report.sentinels.as_ref().map(|found| Sentinels {
            passed: found.passed,
            failed: found.failed,
            example: found.example.clone(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader, Read as _, Write as _},
        os::unix::net::{UnixListener, UnixStream},
        thread,
    };

    use evermesh_handover::message::{Answer, encode};

    use super::*;

    /// Its own gate would let that stay.
    fn proven() -> Report {
        Report {
            generation: 2,
            age: Duration::from_secs(60),
            now: evermesh_loader::Flows::default(),
            before: evermesh_loader::Flows::default(),
            differences: 0,
            sentinels: None,
        }
    }

    fn judge(run_dir: &Path, supervised: bool) -> Judge {
        Judge { supervised, patience: Duration::from_millis(100), ..Judge::new(run_dir) }
    }

    /// What becomes of it where a supervisor answers like that; it hangs up when the judge does.
    fn judged_by(supervisor: impl FnOnce(&mut UnixStream) + Send + 'static) -> Verdict {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(RunDir::new(dir.path()).control_socket()).unwrap();
        let supervisor = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut heard = BufReader::new(stream.try_clone().unwrap());
            heard.read_line(&mut String::new()).unwrap();
            supervisor(&mut stream);
        });
        let verdict = judge(dir.path(), true).judge(&proven());
        supervisor.join().unwrap();
        verdict
    }

    fn answered(answer: Answer) -> Verdict {
        judged_by(move |stream| stream.write_all(&encode(&answer).unwrap()).unwrap())
    }

    fn reason(verdict: Verdict) -> String {
        let Verdict::RollBack { reason } = verdict else { panic!("{verdict:?}") };
        reason
    }

    #[test]
    fn a_supervisors_word_counts() {
        let falls = Verdict::RollBack { reason: "it is slow".into() };
        for verdict in [Verdict::Wait, Verdict::Commit, falls] {
            assert_eq!(answered(Answer::Judged { verdict: verdict.clone() }), verdict);
        }
    }

    #[test]
    fn without_a_supervisors_word_nothing_stays() {
        let silent = judged_by(|stream| assert_eq!(stream.read(&mut [0]).unwrap(), 0));
        insta::assert_snapshot!(reason(silent), @"the evermesh supervisor did not answer within 100 ms");
        insta::assert_snapshot!(reason(judged_by(|_| ())), @"the evermesh supervisor closed the connection without an answer");
        let garbled = judged_by(|stream| stream.write_all(b"commit\n").unwrap());
        insta::assert_snapshot!(reason(garbled), @"the evermesh supervisor's answer cannot be read: a message must be one JSON object a line, with `version` and `message`: expected value at line 1 column 1");
        insta::assert_snapshot!(reason(answered(Answer::Yielded)), @"the evermesh supervisor's answer does not fit the question: Yielded");
    }

    #[test]
    fn a_supervisor_that_cannot_be_reached_has_not_said_that_it_stays() {
        let dir = tempfile::tempdir().unwrap();
        let unreached = reason(judge(dir.path(), true).judge(&proven()));
        assert!(unreached.starts_with("no evermesh supervisor listens on"), "{unreached}");
    }

    #[test]
    fn where_nobody_judges_the_agent_does() {
        let dir = tempfile::tempdir().unwrap();
        let alone = judge(dir.path(), false);
        assert_eq!(alone.judge(&proven()), Verdict::Commit);
        assert_eq!(alone.judge(&Report { age: Duration::ZERO, ..proven() }), Verdict::Wait);
        reason(alone.judge(&Report { differences: 1, ..proven() }));
        assert_eq!(answered(Answer::refused("a kind that is not known")), Verdict::Commit);
    }
}
