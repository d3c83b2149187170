use std::{error::Error, iter::successors};

/// An error with its causes, for people.
pub fn in_full(error: &dyn Error) -> String {
    let causes = successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
