use std::path::PathBuf;

use tracing::warn;

/// So many are kept, and so much of each: a state with all of them still is a message that can be read.
const KEPT: usize = 16;
const LONGEST: usize = 500;

/// What is not as it should be, for `status`: the latest word on each subject. The log has all.
#[derive(Debug, Default)]
pub struct Notes(Vec<(Subject, String)>);

/// What a note is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The ledger on disk does not say what is known.
    Ledger,
    /// A ledger was damaged.
    DamagedLedger,
    /// The supervisor's own release is not kept.
    OwnRelease,
    /// What was committed could not be run at the start.
    Replaced,
    /// What is committed cannot be run now.
    Committed,
    /// Whoever was to step down did not.
    StepDown,
    /// Something in the pin directory.
    Pin(PathBuf),
}

impl Notes {
    /// Takes the place of what was said on the subject; what is said again is not news.
    pub fn put(&mut self, subject: Subject, mut words: String) {
        words.truncate(words.floor_char_boundary(LONGEST));
        let note = (subject, words);
        if self.0.contains(&note) {
            return;
        }
        warn!("{}", note.1);
        self.drop(&note.0);
        self.0.push(note);
        let surplus = self.0.len().saturating_sub(KEPT);
        self.0.drain(..surplus);
    }

    /// It is as it should be.
    pub fn drop(&mut self, subject: &Subject) {
        self.0.retain(|(about, _)| about != subject);
    }

    /// Something is not as it should be there.
    pub fn has(&self, subject: &Subject) -> bool {
        self.0.iter().any(|(about, _)| about == subject)
    }

    /// All, the latest last.
    pub fn words(&self) -> Vec<String> {
        self.0.iter().map(|(_, words)| words.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_word_on_each_subject_is_kept_until_that_is_as_it_should_be() {
        let mut notes = Notes::default();
        for (subject, words) in
            [(Subject::StepDown, "pid 1"), (Subject::Ledger, "full"), (Subject::StepDown, "pid 2")]
        {
            notes.put(subject, words.into());
        }
        assert_eq!(notes.words(), ["full", "pid 2"]);
        notes.drop(&Subject::Ledger);
        assert_eq!((notes.words(), notes.has(&Subject::Ledger)), (vec!["pid 2".to_owned()], false));
    }

    #[test]
    fn however_much_is_said_little_is_kept_the_latest_of_it() {
        let mut notes = Notes::default();
        for number in 0..1000 {
            notes.put(Subject::Pin(number.to_string().into()), format!("{number} {}", "ü".repeat(4096)));
        }
        let words = notes.words();
        assert!(words.iter().all(|words| words.len() <= LONGEST));
        assert_eq!((words.len(), words.last().map(|words| words.starts_with("999 "))), (KEPT, Some(true)));
    }
}
