use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Answer, LineTooLong};

/// The version of messages that this release speaks.
pub const VERSION: u32 = 0;

/// The longest line, in bytes, without the line feed.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// Why a line is no message.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The line does not end.
    #[error(transparent)]
    TooLong(#[from] LineTooLong),
    /// The line is no envelope.
    #[error("a message must be one JSON object a line, with `version` and `message`: {source}")]
    Envelope {
        /// Where it goes wrong.
        source: serde_json::Error,
    },
    /// The other side speaks another version.
    #[error("messages of version {spoken} are not understood here, only those of version {VERSION}")]
    Version {
        /// The version of the message.
        spoken: u32,
    },
    /// The kind is unknown, or its fields are wrong.
    #[error("the message is not understood here: {source}")]
    Message {
        /// What is wrong.
        source: serde_json::Error,
    },
}

impl From<&Unreadable> for Answer {
    fn from(unreadable: &Unreadable) -> Self {
        Self::refused(unreadable.to_string())
    }
}

#[derive(Serialize)]
struct Outgoing<'a, M> {
    version: u32,
    message: &'a M,
}

/// Read alone first: what else the line holds is up to the version.
#[derive(Deserialize)]
struct Spoken {
    version: u32,
}

#[derive(Deserialize)]
struct Incoming<M> {
    message: M,
}

/// One line, with its line feed.
pub fn encode<M: Serialize>(message: &M) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = serde_json::to_vec(&Outgoing { version: VERSION, message })?;
    line.push(b'\n');
    Ok(line)
}

/// Reads one line, with or without its line feed.
pub fn decode<M: DeserializeOwned>(line: &[u8]) -> Result<M, Unreadable> {
    let Spoken { version: spoken } =
        serde_json::from_slice(line).map_err(|source| Unreadable::Envelope { source })?;
    if spoken != VERSION {
        return Err(Unreadable::Version { spoken });
    }
    let Incoming { message } =
        serde_json::from_slice(line).map_err(|source| Unreadable::Message { source })?;
    Ok(message)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        Intent,
        gate::{Evidence, Flows, Sentinels, Verdict},
        message::{Candidate, Phase, Releases, Request, State, TrialEnd},
    };

    /// The bytes of version 0: other releases rely on them, so these snapshots never change.
    #[test]
    fn version_0_of_every_message() {
        let line = |request: Request| {
            assert_eq!(decode::<Request>(&encode(&request).unwrap()).unwrap(), request);
            String::from_utf8(encode(&request).unwrap()).unwrap()
        };
        let ask =
            |digest| Request::Ask { release: "0.1.0".into(), pid: 7, commit_within_ms: Some(9), digest };
        insta::assert_snapshot!(line(ask(None)), @r#"{"version":0,"message":{"kind":"ask","release":"0.1.0","pid":7,"commit_within_ms":9}}"#);
        insta::assert_snapshot!(line(ask(Some("ab".into()))), @r#"{"version":0,"message":{"kind":"ask","release":"0.1.0","pid":7,"commit_within_ms":9,"digest":"ab"}}"#);
        let (release, pid, accept_loss) = ("0.1.0".into(), 7, vec!["origins".into()]);
        let ask = Request::AskWithLoss { release, pid, commit_within_ms: None, digest: None, accept_loss };
        insta::assert_snapshot!(line(ask), @r#"{"version":0,"message":{"kind":"ask_with_loss","release":"0.1.0","pid":7,"accept_loss":["origins"]}}"#);
        insta::assert_snapshot!(line(Request::Commit), @r#"{"version":0,"message":{"kind":"commit"}}"#);
        insta::assert_snapshot!(line(Request::Rollback), @r#"{"version":0,"message":{"kind":"rollback"}}"#);
        let stop = Request::Stop { intent: Intent::Uninstall };
        insta::assert_snapshot!(line(stop), @r#"{"version":0,"message":{"kind":"stop","intent":"uninstall"}}"#);
        insta::assert_snapshot!(line(Request::Status), @r#"{"version":0,"message":{"kind":"status"}}"#);
        let (now, before) = (Flows { translated: 3, failed: 4 }, Flows { translated: 5, failed: 6 });
        let sentinels = Some(Sentinels { passed: 8, failed: 1, example: Some("no".into()) });
        let evidence = Evidence { generation: 1, age_ms: 2, now, before, differences: 7, sentinels };
        insta::assert_snapshot!(line(Request::Judge { evidence }), @r#"{"version":0,"message":{"kind":"judge","evidence":{"generation":1,"age_ms":2,"now":{"translated":3,"failed":4},"before":{"translated":5,"failed":6},"differences":7,"sentinels":{"passed":8,"failed":1,"example":"no"}}}}"#);
        let upgrade = Request::Upgrade { release: "ab".into(), tries: 3 };
        insta::assert_snapshot!(line(upgrade), @r#"{"version":0,"message":{"kind":"upgrade","release":"ab","tries":3}}"#);
        let accept_loss = vec!["origins".into()];
        let upgrade = Request::UpgradeWithLoss { release: "ab".into(), tries: 3, accept_loss };
        insta::assert_snapshot!(line(upgrade), @r#"{"version":0,"message":{"kind":"upgrade_with_loss","release":"ab","tries":3,"accept_loss":["origins"]}}"#);
    }

    #[test]
    fn version_0_of_every_answer() {
        let line = |answer: Answer| {
            assert_eq!(decode::<Answer>(&encode(&answer).unwrap()).unwrap(), answer);
            String::from_utf8(encode(&answer).unwrap()).unwrap()
        };
        insta::assert_snapshot!(line(Answer::Yielded), @r#"{"version":0,"message":{"kind":"yielded"}}"#);
        insta::assert_snapshot!(line(Answer::refused("no")), @r#"{"version":0,"message":{"kind":"refused","reason":"no","versions":[0]}}"#);
        insta::assert_snapshot!(line(Answer::TakenBack), @r#"{"version":0,"message":{"kind":"taken_back"}}"#);
        insta::assert_snapshot!(line(Answer::Stopping), @r#"{"version":0,"message":{"kind":"stopping"}}"#);
        insta::assert_snapshot!(line(Answer::Judged { verdict: Verdict::Wait }), @r#"{"version":0,"message":{"kind":"judged","verdict":{"word":"wait"}}}"#);
        insta::assert_snapshot!(line(Answer::Judged { verdict: Verdict::Commit }), @r#"{"version":0,"message":{"kind":"judged","verdict":{"word":"commit"}}}"#);
        let verdict = Verdict::RollBack { reason: "it fails".into() };
        insta::assert_snapshot!(line(Answer::Judged { verdict }), @r#"{"version":0,"message":{"kind":"judged","verdict":{"word":"roll_back","reason":"it fails"}}}"#);
        insta::assert_snapshot!(line(Answer::Upgrading { trial: 7 }), @r#"{"version":0,"message":{"kind":"upgrading","trial":7}}"#);
        let state = State {
            release: "0.1.0".into(),
            pid: 1,
            agent_pid: Some(2),
            phase: Phase::Running,
            status: Some("3 services".into()),
            restarts: BTreeMap::from([("crash".into(), 4)]),
            last_exit: Some("exit status: 1".into()),
            since_unix_ms: 5,
            started_unix_ms: 6,
            releases: None,
        };
        insta::assert_snapshot!(line(Answer::State(Box::new(state.clone()))), @r#"{"version":0,"message":{"kind":"state","release":"0.1.0","pid":1,"agent_pid":2,"phase":"running","status":"3 services","restarts":{"crash":4},"last_exit":"exit status: 1","since_unix_ms":5,"started_unix_ms":6}}"#);
        let candidate = Candidate {
            release: "cd".into(),
            trial: 8,
            tries_left: 2,
            under_way: true,
            reason: Some("it hangs".into()),
            accept_loss: vec![],
        };
        let last = TrialEnd { trial: 7, release: "ef".into(), committed: false, reason: None, unix_ms: 9 };
        let releases = Releases {
            running: Some("cd".into()),
            committed: "ab".into(),
            previous: None,
            candidate: Some(candidate),
            last: Some(last),
            notes: vec![],
        };
        insta::assert_snapshot!(line(Answer::State(Box::new(State { releases: Some(releases), ..state }))), @r#"{"version":0,"message":{"kind":"state","release":"0.1.0","pid":1,"agent_pid":2,"phase":"running","status":"3 services","restarts":{"crash":4},"last_exit":"exit status: 1","since_unix_ms":5,"started_unix_ms":6,"releases":{"running":"cd","committed":"ab","previous":null,"candidate":{"release":"cd","trial":8,"tries_left":2,"under_way":true,"reason":"it hangs"},"last":{"trial":7,"release":"ef","committed":false,"reason":null,"unix_ms":9},"notes":[]}}}"#);
    }

    #[test]
    fn fields_and_words_of_later_releases_are_no_obstacle() {
        let line = br#"{"version":0,"new":1,"message":{"kind":"ask","release":"9","pid":7,"new":2}}"#;
        let ask = Request::Ask { release: "9".into(), pid: 7, commit_within_ms: None, digest: None };
        assert_eq!(decode::<Request>(line).unwrap(), ask);
        let line = br#"{"version":0,"message":{"kind":"stop","intent":"hibernate"}}"#;
        assert_eq!(decode::<Request>(line).unwrap(), Request::Stop { intent: Intent::Restart });
        assert_eq!(Phase::from(String::from("dreaming")), Phase::Unknown);
    }

    #[test]
    fn what_is_not_understood_is_refused_with_the_reason() {
        let refusal = |line: &str| {
            let unreadable = decode::<Request>(line.as_bytes()).unwrap_err();
            String::from_utf8(encode(&Answer::from(&unreadable)).unwrap()).unwrap()
        };
        insta::assert_snapshot!(refusal(r#"{"version":7,"message":[1]}"#), @r#"{"version":0,"message":{"kind":"refused","reason":"messages of version 7 are not understood here, only those of version 0","versions":[0]}}"#);
        insta::assert_snapshot!(refusal(r#"{"version":0,"message":{"kind":"sing"}}"#), @r#"{"version":0,"message":{"kind":"refused","reason":"the message is not understood here: unknown variant `sing`, expected one of `ask`, `ask_with_loss`, `commit`, `rollback`, `stop`, `status`, `judge`, `upgrade`, `upgrade_with_loss` at line 1 column 37","versions":[0]}}"#);
        insta::assert_snapshot!(refusal(r#"{"version":0}"#), @r#"{"version":0,"message":{"kind":"refused","reason":"the message is not understood here: missing field `message` at line 1 column 13","versions":[0]}}"#);
        insta::assert_snapshot!(refusal("hello"), @r#"{"version":0,"message":{"kind":"refused","reason":"a message must be one JSON object a line, with `version` and `message`: expected value at line 1 column 1","versions":[0]}}"#);
    }
}
