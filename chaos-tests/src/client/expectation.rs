use std::{fmt, io};

use nix::errno::Errno;

use super::Outcome;
use crate::server::Name;

/// What should come of every attempt of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// An answer from one of these.
    Answer(Vec<Name>),
    /// `ECONNREFUSED`, from whichever call is the first that could know.
    Refused,
}

/// Where an attempt stopped: somebody answered, or a call failed.
pub(super) type Answered = Result<Name, Failure>;

/// Why an attempt brought no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// This call failed; time-outs and early ends are recognised by their kind.
    Io(&'static str, io::Error),
    /// An answer came that cannot be right, whoever sent it.
    Wrong(Outcome),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(call, error) => write!(f, "{call}: {error}"),
            Self::Wrong(outcome) => write!(f, "{outcome}"),
        }
    }
}

impl Expectation {
    /// What to record.
    pub(super) fn judge(&self, answered: &Answered) -> Outcome {
        match (self, answered.as_ref().copied().map_err(Failure::outcome)) {
            (Self::Refused, Err(Outcome::Errno(Errno::ECONNREFUSED))) => Outcome::Refused,
            (Self::Refused, Ok(_) | Err(Outcome::Closed | Outcome::WrongPeer | Outcome::WrongData)) => {
                Outcome::NotRefused
            }
            (Self::Answer(names), Ok(name)) if names.contains(&name) => Outcome::Ok,
            (Self::Answer(_), Ok(name)) => Outcome::WrongServer(name),
            (_, Err(outcome)) => outcome,
        }
    }
}

impl Failure {
    /// Of that call.
    pub(super) fn of(call: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io(call, error)
    }

    /// How an application learns that its connected UDP socket was destroyed: when it sends, when it waits, and when it asks
    /// where it is connected to, after an answer that came before.
    pub(super) fn is_destruction(&self) -> bool {
        let Self::Io(_, error) = self else { return false };
        let errno = error.raw_os_error().map(Errno::from_raw);
        matches!(errno, Some(Errno::EDESTADDRREQ | Errno::ECONNABORTED | Errno::ENOTCONN))
    }

    /// A socket's own time-out shows as `EINPROGRESS` from connect and as `EAGAIN` from everything else.
    fn outcome(&self) -> Outcome {
        let error = match self {
            Self::Wrong(outcome) => return *outcome,
            Self::Io(_, error) => error,
        };
        match (error.kind(), error.raw_os_error().map(Errno::from_raw)) {
            (io::ErrorKind::UnexpectedEof, _) => Outcome::Closed,
            (_, Some(Errno::EINPROGRESS | Errno::EAGAIN | Errno::ETIMEDOUT)) => Outcome::Timeout,
            (_, Some(errno)) => Outcome::Errno(errno),
            (_, None) => Outcome::Errno(Errno::UnknownErrno),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn failed(errno: Errno) -> Answered {
        Err(Failure::Io("call", errno.into()))
    }

    #[test]
    fn only_expected_names_will_do() {
        let expected = Expectation::Answer(vec![name("a"), name("b")]);
        assert_eq!(expected.judge(&Ok(name("b"))), Outcome::Ok);
        assert_eq!(expected.judge(&Ok(name("c"))), Outcome::WrongServer(name("c")));
        assert_eq!(expected.judge(&failed(Errno::ECONNREFUSED)), Outcome::Errno(Errno::ECONNREFUSED));
    }

    #[test]
    fn only_refusal_is_a_refusal() {
        let expected = Expectation::Refused;
        assert_eq!(expected.judge(&failed(Errno::ECONNREFUSED)), Outcome::Refused);
        assert_eq!(expected.judge(&Ok(name("trap"))), Outcome::NotRefused);
        assert_eq!(expected.judge(&failed(Errno::EPERM)), Outcome::Errno(Errno::EPERM));
        assert_eq!(expected.judge(&failed(Errno::EINPROGRESS)), Outcome::Timeout);
        let early = Err(Failure::Io("call", io::ErrorKind::UnexpectedEof.into()));
        assert_eq!(expected.judge(&early), Outcome::NotRefused);
    }

    /// Whoever asks for the peer in the moment between an answer and the end of its socket's connection hears ENOTCONN.
    #[test]
    fn destruction_is_recognised_by_whichever_call_comes_first() {
        let told = |errno: Errno| Failure::Io("call", errno.into()).is_destruction();
        assert!([Errno::EDESTADDRREQ, Errno::ECONNABORTED, Errno::ENOTCONN].into_iter().all(told));
        assert!(![Errno::ECONNREFUSED, Errno::EPERM, Errno::EAGAIN].into_iter().any(told));
    }

    #[test]
    fn time_outs_are_recognised() {
        let expected = Expectation::Answer(vec![name("a")]);
        for errno in [Errno::EINPROGRESS, Errno::EAGAIN, Errno::ETIMEDOUT] {
            assert_eq!(expected.judge(&failed(errno)), Outcome::Timeout);
        }
    }
}
