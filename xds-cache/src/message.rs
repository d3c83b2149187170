//! Errors in words.

use std::error::Error;

/// What is wrong and what caused it, on one line for each problem. Some errors name their cause themselves.
pub fn of(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let reason = cause.to_string();
        if !text.contains(&reason) {
            text = format!("{text}: {reason}");
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Sample {
        #[error("cannot read: {0}")]
        Telling(#[source] io::Error),
        #[error("cannot read")]
        Silent(#[source] io::Error),
    }

    #[test]
    fn a_cause_is_told_once() {
        let cause = || io::Error::other("disk on fire");
        assert_eq!(of(&Sample::Telling(cause())), "cannot read: disk on fire");
        assert_eq!(of(&Sample::Silent(cause())), "cannot read: disk on fire");
    }
}
