use std::{
    collections::BTreeMap,
    mem,
    net::IpAddr,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use evermesh_state::local::{Database, DatabaseError};
use tracing::warn;

use super::{
    entry::{self, Value},
    lag::Lag,
    usable,
};
use crate::{Conversion, Kind, Known, Mesh, Name, Whole};

/// A disk that was full or away is tried again that often.
const AGAIN_EVERY: Duration = Duration::from_secs(5);
/// So many entries are written at once: for 100,000, sled took 0.7 GB.
const PART: usize = 4096;
/// That everything is still as it was said is written that often.
const SYNCED_EVERY_MS: u64 = 60_000;

/// Writes to the database what traffic obeys, on a thread of its own: nobody waits for the disk. What comes faster than the disk
/// takes it is written together.
#[derive(Debug)]
pub struct Keeper {
    staged: Batch,
    staged_kinds: Whole,
    synced_unix_ms: Option<u64>,
    written_unix_ms: u64,
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

type Batch = BTreeMap<Vec<u8>, Option<Value>>;

/// Between the keeper and its thread.
#[derive(Debug, Default)]
struct Desk {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// To be written.
    pending: Batch,
    /// Being written.
    busy: bool,
    ended: bool,
    /// Why it could not be written last.
    failure: Option<String>,
    /// Which kinds the database knows completely, or would if it were not behind.
    holds: Whole,
    /// Traffic may obey a part of what is not applied.
    behind: bool,
}

impl Keeper {
    pub(super) fn new(
        directory: PathBuf,
        database: Option<Database>,
        lag: Lag,
        holds: Whole,
        behind: bool,
        synced_unix_ms: Option<u64>,
        conversion: Conversion,
    ) -> Self {
        let is_strange = database.is_none();
        let desk = Arc::new(Desk::default());
        let mut state = desk.lock();
        (state.holds, state.behind) = (holds, behind);
        if lag.is_behind() && !is_strange {
            state.begins_anew();
        }
        drop(state);
        let work = Work { directory, database, is_strange, lag, conversion, desk: desk.clone() };
        let spawned = thread::Builder::new().name("keeper".into()).spawn(|| work.run());
        if let Err(error) = &spawned {
            desk.lock().failure = Some(format!("no thread for it: {error}"));
        }
        Self {
            staged: Batch::new(),
            staged_kinds: Whole::default(),
            synced_unix_ms,
            written_unix_ms: synced_unix_ms.unwrap_or_default(),
            desk,
            thread: spawned.ok(),
        }
    }

    /// How it is converted from now on.
    pub(super) fn keep_conversion(&self, conversion: &Conversion) {
        self.desk.lock().pending.extend([entry::conversion(conversion)]);
        self.desk.changed.notify_all();
    }

    /// When what is kept was last known to be what the control plane says.
    pub fn synced_unix_ms(&self) -> Option<u64> {
        self.synced_unix_ms
    }

    /// Which kinds the database knows completely. Of others it may lack what the mesh knows.
    pub fn holds(&self) -> Whole {
        self.desk.lock().holds
    }

    /// Why the last write failed; it is tried again.
    pub fn failure(&self) -> Option<String> {
        self.desk.lock().failure.clone()
    }

    /// To be kept once it is applied.
    pub fn remember(&mut self, changed: &[(Name, Option<Arc<Known>>)]) {
        self.staged.extend(changed.iter().map(|(name, known)| entry::resource(name, known.clone())));
    }

    /// To be kept once it is applied.
    pub fn remember_answer(&mut self, hostname: &str, addresses: &[IpAddr]) {
        self.staged.extend([entry::answer(hostname, addresses)]);
    }

    /// All that the mesh knows of a kind, to be kept once it is applied, where the database does not hold all of it.
    pub fn remember_all(&mut self, kind: Kind, mesh: &Mesh) {
        if self.staged_kinds.contains(kind) || self.holds().contains(kind) {
            return;
        }
        for (name, known) in mesh.resources(kind) {
            let (key, value) = entry::resource(&name, Some(known));
            self.staged.entry(key).or_insert(value);
        }
        for (hostname, addresses) in mesh.answers() {
            self.staged.extend([entry::answer(hostname, addresses)]);
        }
        self.staged_kinds.insert(kind);
    }

    /// What was remembered is applied: it is kept from now on.
    pub fn keep(&mut self) {
        let mut state = self.desk.lock();
        if self.staged.is_empty() && self.staged_kinds == Whole::default() && !state.behind {
            return;
        }
        let staged = mem::take(&mut self.staged_kinds);
        Kind::ALL.into_iter().filter(|kind| staged.contains(*kind)).for_each(|kind| state.holds.insert(kind));
        state.behind = false;
        let whole = state.whole();
        state.pending.extend(mem::take(&mut self.staged));
        state.pending.extend([whole]);
        self.desk.changed.notify_all();
    }

    /// What was remembered is not applied, but traffic may obey a part of it: what stands in the kernel is newer than the
    /// database, which says so until all of it is applied.
    pub fn fall_behind(&mut self) {
        let mut state = self.desk.lock();
        if !mem::replace(&mut state.behind, true) {
            let whole = state.whole();
            state.pending.extend([whole]);
            self.desk.changed.notify_all();
        }
    }

    /// What is kept is known to be what the control plane says.
    pub fn synced(&mut self, unix_ms: u64) {
        self.synced_unix_ms = Some(unix_ms);
        // Clocks are set back, too.
        if unix_ms.abs_diff(self.written_unix_ms) >= SYNCED_EVERY_MS {
            self.written_unix_ms = unix_ms;
            self.desk.lock().pending.extend([entry::synced(unix_ms)]);
            self.desk.changed.notify_all();
        }
    }

    /// Waits until all of it is on the disk; `false`: it took too long.
    pub fn wait(&self, longest: Duration) -> bool {
        let deadline = Instant::now() + longest;
        let mut state = self.desk.lock();
        while state.busy || !state.pending.is_empty() {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return false };
            state = self.desk.wait(state, left);
        }
        true
    }
}

/// What was handed over is still tried once.
impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(synced) = self.synced_unix_ms.filter(|synced| *synced != self.written_unix_ms) {
            self.desk.lock().pending.extend([entry::synced(synced)]);
        }
        self.desk.lock().ended = true;
        self.desk.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic was printed where it happened.
            let _panicked = thread.join();
        }
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, longest: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, longest).unwrap_or_else(PoisonError::into_inner).0
    }
}

impl State {
    /// All that is to be written, or a part of it. Until its rest is written, the database knows nothing completely: half of a
    /// change is no mesh.
    fn next_part(&mut self) -> Batch {
        let Some(first_left) = self.pending.keys().nth(PART).cloned() else {
            return mem::take(&mut self.pending);
        };
        let left = self.pending.split_off(&first_left);
        let mut part = mem::replace(&mut self.pending, left);
        part.extend([entry::whole(Whole::default())]);
        let whole = self.whole();
        self.pending.extend([whole]);
        part
    }

    /// What the database says when all is written.
    fn whole(&self) -> entry::Change {
        if self.behind { entry::outdated(self.holds) } else { entry::whole(self.holds) }
    }

    /// A database that is new holds nothing, whatever it is to be told.
    fn begins_anew(&mut self) {
        self.holds = Whole::default();
        self.pending.extend([entry::whole(Whole::default())]);
    }
}

struct Work {
    directory: PathBuf,
    database: Option<Database>,
    /// The mesh did not begin with what the database holds.
    is_strange: bool,
    lag: Lag,
    conversion: Conversion,
    desk: Arc<Desk>,
}

impl Work {
    fn run(mut self) {
        // A disk that does not even take that is tried again with what is to be written: here and below.
        let _unsaid = self.lag.prepare();
        while let Some(batch) = self.next() {
            let written = self.write(batch.clone());
            let _unsaid = self.lag.set(written.is_err());
            let mut state = self.desk.lock();
            state.busy = false;
            match written {
                Ok(()) => state.failure = None,
                Err(reason) => {
                    if state.failure.as_ref() != Some(&reason) {
                        warn!(reason, "what the control plane says is not kept");
                    }
                    state.failure = Some(reason);
                    // What came meanwhile is newer.
                    let newer = mem::replace(&mut state.pending, batch);
                    state.pending.extend(newer);
                    if state.ended {
                        return;
                    }
                    state = self.desk.wait(state, AGAIN_EVERY);
                }
            }
            drop(state);
            self.desk.changed.notify_all();
        }
    }

    /// `None`: it is over, and all is written.
    fn next(&self) -> Option<Batch> {
        let mut state = self.desk.lock();
        loop {
            if !state.pending.is_empty() {
                state.busy = true;
                return Some(state.next_part());
            }
            if state.ended {
                return None;
            }
            state = self.desk.wait(state, Duration::from_secs(3600));
        }
    }

    /// A database that failed is opened anew, since nobody knows what it holds.
    fn write(&mut self, mut batch: Batch) -> Result<(), String> {
        let mut database = match self.database.take() {
            Some(database) => database,
            None => self.open(&mut batch).map_err(|error| error.to_string())?,
        };
        let changes = batch.into_iter().map(|(key, value)| (key, value.map(Value::into_bytes)));
        database.write(changes.collect()).map_err(|error| error.to_string())?;
        self.database = Some(database);
        Ok(())
    }

    fn open(&mut self, batch: &mut Batch) -> Result<Database, DatabaseError> {
        let open = || {
            let mut keys = Vec::new();
            Ok((Database::open_each(&self.directory, |key, _| keys.push(key.to_vec()))?, keys))
        };
        let (mut database, keys) = usable(&self.directory, open, |note| warn!("{note}"))?;
        if self.is_strange {
            // Nobody would ever say that it is gone. What is to be written is all that is known.
            empty(&mut database, &keys)?;
            self.is_strange = false;
            batch.extend([entry::conversion(&self.conversion)]);
        } else if keys.is_empty() {
            self.desk.lock().begins_anew();
            batch.extend([entry::whole(Whole::default()), entry::conversion(&self.conversion)]);
        }
        Ok(database)
    }
}

/// In parts, of which the first says that the rest is not whole.
fn empty(database: &mut Database, keys: &[Vec<u8>]) -> Result<(), DatabaseError> {
    let (whole, _) = entry::whole(Whole::default());
    let gone = |part: &[Vec<u8>]| part.iter().chain([&whole]).map(|key| (key.clone(), None)).collect();
    keys.chunks(PART).try_for_each(|part| database.write(gone(part)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Whole {
        let mut whole = Whole::default();
        Kind::ALL.into_iter().for_each(|kind| whole.insert(kind));
        whole
    }

    /// Keys on either side of that of the word.
    fn changes(count: usize) -> Batch {
        let key =
            |n: usize| [if n.is_multiple_of(3) { b"p" } else { b"a" }, n.to_string().as_bytes()].concat();
        (0..count).map(|n| (key(n), None)).collect()
    }

    #[test]
    fn a_large_change_is_whole_with_its_last_part() {
        for count in [0, 1, PART - 1, PART, PART + 1, 3 * PART + 1] {
            let wanted: Batch = changes(count).into_iter().chain([entry::whole(all())]).collect();
            let mut state = State { holds: all(), pending: wanted.clone(), ..State::default() };
            let mut written = Batch::new();
            while !state.pending.is_empty() {
                let part = state.next_part();
                assert!(part.len() <= PART + 1, "{count}: {}", part.len());
                written.extend(part);
                let says = |whole| entry::whole(whole).1;
                let whole = if state.pending.is_empty() { all() } else { Whole::default() };
                assert_eq!(written[&entry::whole(whole).0], says(whole), "{count}");
            }
            assert_eq!(written, wanted, "{count}");
        }
    }

    #[test]
    fn while_traffic_obeys_what_is_not_applied_the_rest_of_a_change_makes_nothing_whole() {
        let mut state = State { holds: all(), pending: changes(2 * PART), behind: true, ..State::default() };
        while !state.pending.is_empty() {
            let part = state.next_part();
            let is_last = state.pending.is_empty();
            let (key, says) = if is_last { entry::outdated(all()) } else { entry::whole(Whole::default()) };
            assert_eq!(part[&key], says);
        }
    }

    /// What was to follow would have said that it is.
    #[test]
    fn a_database_that_is_new_is_not_whole_after_the_rest_of_a_change() {
        let mut state = State { holds: all(), pending: changes(2 * PART), ..State::default() };
        let _first = state.next_part();
        state.begins_anew();
        while !state.pending.is_empty() {
            let (key, nothing) = entry::whole(Whole::default());
            assert_eq!(state.next_part()[&key], nothing);
        }
    }
}
