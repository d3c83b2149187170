//! Sockets that endpoints left behind. They are looked for once after a burst of changes, and one look at a time.

use std::mem;

use super::{Action, Chore, Core, Destroyed, Left};

/// Whether sockets are being looked for.
#[derive(Debug, Default)]
pub(super) enum Looking {
    #[default]
    Idle,
    Now,
    /// The tables have changed meanwhile.
    Again,
    /// The kernel cannot do it.
    Never,
}

impl Core {
    /// Endpoints may have gone.
    pub(super) fn look_for_orphans(&mut self) -> Option<Action> {
        let (next, action) = match self.looking {
            Looking::Idle => (Looking::Now, Some(Action::Do(Chore::Orphans))),
            Looking::Now | Looking::Again => (Looking::Again, None),
            Looking::Never => (Looking::Never, None),
        };
        self.looking = next;
        action
    }

    /// What failed is tried again.
    pub(super) fn look_again_for_orphans(&mut self) -> Option<Action> {
        self.troubles.contains_key(&Chore::Orphans).then(|| self.look_for_orphans())?
    }

    pub(super) fn orphans_destroyed(&mut self, Destroyed { sockets, left }: Destroyed) -> Vec<Action> {
        let again = matches!(mem::take(&mut self.looking), Looking::Again);
        let told = self.sockets_destroyed(sockets);
        let trouble = match left {
            None => self.troubles.remove(&Chore::Orphans).and(None),
            Some(Left::Unsupported(cost)) => Some(self.never_again(cost)),
            Some(Left::Failed(reason)) => self.trouble(Chore::Orphans, reason),
        };
        let next = again.then(|| self.look_for_orphans()).flatten();
        told.into_iter().chain(trouble).chain(next).collect()
    }

    fn sockets_destroyed(&mut self, count: usize) -> Option<Action> {
        self.destroyed += count as u64;
        let told = || format!("destroyed {count} connected UDP sockets whose endpoint is gone");
        (count > 0).then(|| Action::Info(told()))
    }

    fn never_again(&mut self, cost: String) -> Action {
        self.looking = Looking::Never;
        self.notes.push(cost.clone());
        Action::Warn(cost)
    }
}
