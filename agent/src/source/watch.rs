use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::files::{Stamp, is_yaml, list};

/// Editors and Kubernetes make several changes in a row: this long after the last one it is quiet.
const QUIET: Duration = Duration::from_millis(50);
/// Somebody who never stops writing is not waited for any longer than this.
const QUIET_WAIT_MAX: Duration = Duration::from_millis(500);
/// For what inotify does not see: another mount, a swapped link further up, no watch to be had.
const RECHECK: Duration = Duration::from_secs(3);

/// Tells when the files at a path may have changed. May tell too often, so compare digests; never tells nothing
/// for longer than three seconds after a change.
pub struct Watch {
    path: PathBuf,
    changed: Arc<Notify>,
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
    stamp: Option<Stamp>,
    recheck_at: Instant,
    quiet: Option<Quiet>,
}

/// A change was seen; when it is told.
#[derive(Clone, Copy)]
struct Quiet {
    at: Instant,
    latest: Instant,
}

impl Watch {
    /// Watches a file or directory, which need not exist yet.
    pub fn new(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let changed = Arc::new(Notify::new());
        let mut new = Self {
            watcher: watcher(&path, changed.clone()),
            path,
            changed,
            watched: BTreeSet::new(),
            stamp: None,
            recheck_at: Instant::now() + RECHECK,
            quiet: None,
        };
        new.look();
        Ok(new)
    }

    /// Returns after each change; needs the timer of a tokio runtime. Nothing is lost when the future is dropped: the next call goes on.
    pub async fn changed(&mut self) {
        loop {
            let wake_at = self.quiet.map_or(self.recheck_at, |quiet| quiet.at.min(quiet.latest));
            tokio::select! {
                () = self.changed.notified() => self.wait_for_quiet(Instant::now()),
                () = sleep_until(wake_at) => if self.wake(Instant::now()) { return },
            }
        }
    }

    fn wait_for_quiet(&mut self, now: Instant) {
        let latest = self.quiet.map_or(now + QUIET_WAIT_MAX, |quiet| quiet.latest);
        self.quiet = Some(Quiet { at: now + QUIET, latest });
    }

    /// Whether there is something to tell.
    fn wake(&mut self, now: Instant) -> bool {
        self.recheck_at = now + RECHECK;
        let seen = self.quiet.take().is_some();
        self.look() || seen
    }

    /// Whether the files differ from when they were looked at last. Links may lead elsewhere since then, so the
    /// watches are set anew.
    fn look(&mut self) -> bool {
        self.watch_directories();
        let stamp = list(&self.path).and_then(|files| Stamp::of(&files)).ok();
        std::mem::replace(&mut self.stamp, stamp) != self.stamp
    }

    fn watch_directories(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        for directory in std::mem::take(&mut self.watched) {
            // It may be gone by now, and its watch with it.
            let _gone = watcher.unwatch(&directory);
        }
        for directory in directories(&self.path) {
            match watcher.watch(&directory, RecursiveMode::NonRecursive) {
                Ok(()) => drop(self.watched.insert(directory)),
                Err(error) => tracing::debug!(directory = %directory.display(), %error, "not watched"),
            }
        }
    }
}

fn watcher(path: &Path, changed: Arc<Notify>) -> Option<RecommendedWatcher> {
    let path = path.to_owned();
    let tell = move |event: notify::Result<Event>| {
        if event.map_or(true, |event| concerns(&event, &path)) {
            changed.notify_one();
        }
    };
    notify::recommended_watcher(tell)
        .inspect_err(|error| tracing::warn!(%error, "no file events: looking every 3 s instead"))
        .ok()
}

/// The directories in which something could happen to the source: around it, inside it, and where its links lead.
fn directories(path: &Path) -> BTreeSet<PathBuf> {
    let files = list(path).unwrap_or_default();
    let real = files.iter().filter_map(|file| fs::canonicalize(file).ok()?.parent().map(Path::to_owned));
    let around = path.parent().map(Path::to_owned);
    let inside = path.is_dir().then(|| path.to_owned());
    real.chain(around).chain(inside).collect()
}

/// Reading is no change, nor is what happens to neighbours. Kubernetes swaps names that begin with two dots.
fn concerns(event: &Event, path: &Path) -> bool {
    let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
    let reading = event.kind.is_access() && event.kind != written;
    let of_source = |changed: &PathBuf| {
        let swapped = changed.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".."));
        let inside = changed.parent() == Some(path);
        let beside = changed.parent() == path.parent();
        changed == path || swapped || (inside && is_yaml(changed)) || !(inside || beside)
    };
    event.need_rescan() || (!reading && event.paths.iter().any(of_source))
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, Flag};

    use super::*;

    fn concerned(kind: EventKind, changed: &str) -> bool {
        concerns(&Event::new(kind).add_path(changed.into()), Path::new("/etc/mesh"))
    }

    const CREATED: EventKind = EventKind::Create(CreateKind::Any);

    #[test]
    fn what_is_part_of_the_source_concerns_it() {
        for changed in ["/etc/mesh", "/etc/mesh/a.yaml", "/etc/mesh/..data", "/data/elsewhere/a"] {
            assert!(concerned(CREATED, changed), "{changed}");
        }
    }

    #[test]
    fn neighbours_and_notes_do_not() {
        for changed in ["/etc/passwd", "/etc/mesh.yaml", "/etc/mesh/notes.txt", "/etc/mesh/.a.yaml.swp"] {
            assert!(!concerned(CREATED, changed), "{changed}");
        }
    }

    #[test]
    fn reading_it_does_not_but_having_written_it_does() {
        let opened = EventKind::Access(AccessKind::Open(AccessMode::Any));
        let read = EventKind::Access(AccessKind::Close(AccessMode::Read));
        let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
        let concerned = [opened, read, written].map(|kind| concerned(kind, "/etc/mesh/a.yaml"));
        assert_eq!(concerned, [false, false, true]);
    }

    #[test]
    fn lost_events_may_have_been_of_it() {
        assert!(concerns(&Event::new(EventKind::Other).set_flag(Flag::Rescan), Path::new("/etc/mesh")));
    }
}
