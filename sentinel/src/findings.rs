use serde::{Deserialize, Serialize};

/// What became of the probes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// Probes that came where they should and saw what they should.
    pub passed: u64,
    /// Probes that did not.
    pub failed: u64,
    /// What the first of these saw.
    pub example: Option<String>,
    /// Cookies of some sockets that asked for the service and are closed: nothing of them may be remembered.
    pub closed: Vec<u64>,
}

impl Findings {
    /// As many cookies as are worth to be looked up.
    const CLOSED_MAX: usize = 16;

    pub(crate) fn take(&mut self, name: &str, seen: Result<Option<u64>, String>) {
        match seen {
            Ok(cookie) => {
                self.passed += 1;
                self.closed.extend(cookie.filter(|_| self.closed.len() < Self::CLOSED_MAX));
            }
            Err(what) => self.fail(format!("{name}: {what}")),
        }
    }

    /// Something that was found by others.
    pub fn fail(&mut self, what: String) {
        self.failed += 1;
        self.example.get_or_insert(what);
    }
}
