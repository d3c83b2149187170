//! A release that is on trial, or takes over, and leaves a pin where it has no place is not committed, and what it left goes.

use std::{collections::BTreeSet, path::PathBuf};

use super::{
    Kept, Subject,
    pinned::{Places, remove},
};
use crate::release::Layouts;

/// What stands in the pin directory where no release that may run has a place.
#[derive(Debug)]
pub(super) struct Odd {
    places: Places,
    pub paths: BTreeSet<PathBuf>,
}

impl Kept {
    /// None: no release says its places, being older than that.
    pub(super) fn odd(&self) -> Option<Odd> {
        let candidate = self.ledger.candidate.as_ref().map(|candidate| candidate.release);
        // Before a takeover is done the committed release is another one.
        let releases: BTreeSet<_> =
            [self.ordinary, self.ledger.committed].into_iter().chain(candidate).collect();
        let said: Vec<_> = releases.iter().filter_map(|release| Layouts::of(&self.store, release)).collect();
        let places = Places::of(&said)?;
        Some(Odd { paths: self.pinned.odd(&places), places })
    }

    /// What came to stand there since the trial began, or this supervisor started its agent to take over, in words; none: nothing.
    pub(super) fn leaks(&self) -> Option<String> {
        let Odd { places, paths } = self.before_try.as_ref()?;
        let before = match self.takes_over {
            true => paths,
            false => self.ledger.candidate.as_ref()?.odd.as_ref()?,
        };
        let now = self.pinned.odd(places);
        let left: Vec<_> = now.difference(before).map(|path| path.display().to_string()).collect();
        (!left.is_empty())
            .then(|| format!("it left pins where no release has a place for them: {}", left.join(", ")))
    }

    /// What came to stand there since the try began is the candidate's, whose agent has ended.
    pub(super) fn remove_leaks(&mut self) {
        let Some(before) = self.before_try.take() else { return };
        for path in self.pinned.odd(&before.places).difference(&before.paths) {
            let done =
                remove(path).map_or_else(|error| format!("not removed: {error}"), |()| "removed".into());
            let words = format!("{}: left by a release that was not committed, and {done}", path.display());
            self.notes.put(Subject::Pin(path.clone()), words);
        }
    }
}
