//! Waiting for a condition instead of for a time.

use std::{
    env,
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{Error, Result};

const POLL: Duration = Duration::from_millis(2);

/// How many times more patience is wanted than a machine of today needs: for emulated ones.
const FACTOR: &str = "EVERMESH_PATIENCE_FACTOR";

/// Polls until `probe` gives a value. After `patience`, [`stretched`], the error names what was awaited.
pub fn until<T>(what: &str, patience: Duration, mut probe: impl FnMut() -> Option<T>) -> Result<T> {
    let patience = stretched(patience);
    let deadline = Instant::now() + patience;
    loop {
        if let Some(value) = probe() {
            return Ok(value);
        }
        if Instant::now() >= deadline {
            return Err(Error::Awaited { what: what.to_owned(), patience });
        }
        sleep(POLL);
    }
}

/// A patience, times the factor in `EVERMESH_PATIENCE_FACTOR`.
pub fn stretched(patience: Duration) -> Duration {
    let factor = env::var(FACTOR).ok().and_then(|text| text.parse().ok());
    patience * factor.unwrap_or(1)
}
