//! A release on trial that leaves a pin where it has no place is not committed, and what it left goes.

use std::{collections::BTreeSet, path::PathBuf};

use super::{
    Kept,
    pinned::{Places, remove},
};
use crate::release::Layouts;

/// What stands in the pin directory where neither the committed release nor the candidate has a place.
#[derive(Debug)]
pub(super) struct Odd {
    places: Places,
    pub paths: BTreeSet<PathBuf>,
}

impl Kept {
    /// None: neither release says its places, being older than that.
    pub(super) fn odd(&self) -> Option<Odd> {
        let candidate = self.ledger.candidate.as_ref().map(|candidate| candidate.release);
        let releases = [Some(self.ordinary), candidate].into_iter().flatten();
        let said: Vec<_> = releases.filter_map(|release| Layouts::of(&self.store, &release)).collect();
        let places = Places::of(&said)?;
        Some(Odd { paths: self.pinned.odd(&places), places })
    }

    /// What came to stand there since the trial began, in words; none: nothing.
    pub(super) fn leaks(&self) -> Option<String> {
        let before = self.ledger.candidate.as_ref()?.odd.as_ref()?;
        let now = self.pinned.odd(&self.before_try.as_ref()?.places);
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
            self.note(format!("{}: left by a release on trial, and {done}", path.display()));
        }
    }
}
