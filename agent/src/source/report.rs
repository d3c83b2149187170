use std::{
    collections::BTreeMap,
    fmt::Display,
    path::{Path, PathBuf},
};

use evermesh_model::ServiceKey;

use super::{Problem, Problems};

/// A line of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    file: usize,
    line: u32,
}

/// Something a user should know though it is not wrong. Said once, however often it occurs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Note {
    /// Workloads stand behind a service that is not there.
    ServiceMissing(ServiceKey),
    /// Workloads deviate on a port that the service does not have.
    PortMissing(ServiceKey, u16),
    /// Workloads name no target port where the service leaves it to them.
    TargetPortMissing(ServiceKey, u16),
    /// There are authorization policies, and nothing enforces them.
    NotEnforced,
    /// A field is set that does nothing yet: the field, and what happens instead.
    Unused(&'static str, &'static str),
}

/// What was found while reading, and where.
#[derive(Debug, Default)]
pub(super) struct Report {
    files: Vec<PathBuf>,
    problems: Problems,
    notes: BTreeMap<Note, Noted>,
}

#[derive(Debug)]
struct Noted {
    first: Place,
    times: usize,
}

impl Report {
    /// What follows is about this file.
    pub fn begin(&mut self, file: &Path) {
        self.files.push(file.to_owned());
    }

    /// A line of the file that is being read.
    pub fn place(&self, line: u32) -> Place {
        Place { file: self.files.len() - 1, line }
    }

    /// As `file:line`.
    pub fn show(&self, place: Place) -> String {
        format!("{}:{}", self.files[place.file].display(), place.line)
    }

    /// A value that is wrong. Gives nothing, which is what stands in its place.
    pub fn refuse<T>(&mut self, line: u32, path: impl Display, reason: impl Display) -> Option<T> {
        let file = self.files.last().cloned().unwrap_or_default();
        self.problems.push(Problem { file, line, field: path.to_string(), reason: reason.to_string() });
        None
    }

    /// A value that is not wrong.
    pub fn note(&mut self, line: u32, note: Note) {
        self.note_at(self.place(line), note);
    }

    /// The same of a value that was read earlier.
    pub fn note_at(&mut self, place: Place, note: Note) {
        self.notes.entry(note).or_insert(Noted { first: place, times: 0 }).times += 1;
    }

    /// The warnings, or all problems when there are any.
    pub fn finish(self) -> Result<Vec<String>, Problems> {
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        Ok(self.notes.iter().map(|(note, noted)| self.warning(note, noted)).collect())
    }

    fn warning(&self, note: &Note, noted: &Noted) -> String {
        let (place, times) = (self.show(noted.first), noted.times);
        match note {
            Note::ServiceMissing(service) => format!(
                "{place}: service `{service}` is not defined, but {times} workload(s) stand behind it, this one \
                 first: define it under `services`, or correct the name"
            ),
            Note::PortMissing(service, port) => format!(
                "{place}: service `{service}` has no port {port}, but {times} workload(s) name a target port for \
                 it, this one first: add the port to the service, or remove it here"
            ),
            Note::TargetPortMissing(service, port) => format!(
                "{place}: service `{service}` leaves the target port of {port} to its workloads, but {times} \
                 workload(s) name none, this one first: no traffic of that port reaches them until they do"
            ),
            Note::NotEnforced => format!(
                "{place}: authorization policies are shown but NOT enforced ({times} in all, this is the first): \
                 no connection is refused because of them"
            ),
            Note::Unused(field, instead) => {
                format!("{place}: `{field}` is not used yet ({times} in all, this is the first): {instead}")
            }
        }
    }
}
