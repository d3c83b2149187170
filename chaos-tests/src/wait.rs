//! Waiting for a condition instead of for a time.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{Error, Result};

const POLL: Duration = Duration::from_millis(2);

/// Polls until `probe` gives a value. After `patience` the error names what was awaited.
pub fn until<T>(what: &str, patience: Duration, mut probe: impl FnMut() -> Option<T>) -> Result<T> {
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
