//! From a database to the mesh, by three at once: one reads, one understands, one puts together.

use std::{
    mem,
    net::IpAddr,
    panic::resume_unwind,
    path::Path,
    sync::mpsc::{self, SyncSender},
    thread,
};

use bytes::Bytes;
use evermesh_model::Names;
use evermesh_state::local::{Database, DatabaseError};

use super::entry::{self, Stored};
use crate::{Conversion, Mesh, Rejected, Whole};

/// Enough that handing one over costs nothing, little enough that it stays in the processor's memory.
const PAGE_BYTES: usize = 64 << 10;
/// Whoever is faster waits for the others.
const AHEAD: usize = 4;

/// What follows from what a database holds.
#[derive(Debug)]
pub(super) struct Recalled {
    pub mesh: Mesh,
    pub whole: Whole,
    /// Traffic obeys something newer.
    pub outdated: bool,
    /// How the agent that wrote it converted what came.
    pub conversion: Option<Conversion>,
    pub synced_unix_ms: Option<u64>,
    /// What this release does not understand.
    pub rejected: Vec<Rejected>,
    pub unreadable: usize,
    answers: Vec<(String, Vec<IpAddr>)>,
}

impl Recalled {
    /// Nothing.
    pub fn nothing(conversion: Conversion) -> Self {
        Self {
            mesh: Mesh::new(conversion),
            whole: Whole::default(),
            outdated: false,
            conversion: None,
            synced_unix_ms: None,
            rejected: Vec::new(),
            unreadable: 0,
            answers: Vec::new(),
        }
    }

    fn add(&mut self, stored: Stored) {
        let Stored { heard, answers, whole, outdated, conversion, synced_unix_ms, unreadable } = stored;
        self.rejected.extend(self.mesh.recall(heard));
        self.answers.extend(answers);
        self.whole = whole.unwrap_or(self.whole);
        self.outdated |= outdated;
        self.conversion = conversion.or(self.conversion.take());
        self.synced_unix_ms = synced_unix_ms.or(self.synced_unix_ms);
        self.unreadable += unreadable;
    }

    /// Where hostnames lead says something when all of them are known.
    fn resolved(mut self) -> Self {
        for (hostname, addresses) in mem::take(&mut self.answers) {
            self.mesh.resolve(&hostname, addresses);
        }
        self
    }
}

/// Opens a database and makes a mesh of what it holds. A database that is refused counts as a whole: nothing of it is left.
pub(super) fn recall(
    directory: &Path,
    conversion: &Conversion,
) -> Result<(Database, Recalled), DatabaseError> {
    let (pages, written) = mpsc::sync_channel::<Page>(AHEAD);
    let (parts, understood) = mpsc::sync_channel(AHEAD);
    thread::scope(|scope| {
        let understand = move || {
            let mut names = Names::default();
            for page in written {
                if parts.send(entry::read(page.entries(), conversion, &mut names)).is_err() {
                    return;
                }
            }
        };
        let read = move || {
            let mut book = Book { page: Page::default(), pages };
            Database::open_each(directory, |key, value| book.add(key, value)).inspect(|_| book.turn())
        };
        let no_thread = |source| DatabaseError::Thread { path: directory.to_owned(), source };
        thread::Builder::new().spawn_scoped(scope, understand).map_err(no_thread)?;
        let reading = thread::Builder::new().spawn_scoped(scope, read).map_err(no_thread)?;
        let mut recalled = Recalled::nothing(conversion.clone());
        understood.into_iter().for_each(|part| recalled.add(part));
        let database = reading.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        Ok((database, recalled.resolved()))
    })
}

/// Pages that are filled and handed over.
struct Book {
    page: Page,
    pages: SyncSender<Page>,
}

impl Book {
    fn add(&mut self, key: &[u8], value: &[u8]) {
        if self.page.bytes.len() + key.len() + value.len() > PAGE_BYTES {
            self.turn();
        }
        self.page.add(key, value);
    }

    fn turn(&mut self) {
        // Nobody listens where the others panicked, which is told by them.
        let _unread = self.pages.send(mem::take(&mut self.page));
    }
}

/// Entries, one behind the other in one piece of memory.
#[derive(Debug, Default)]
struct Page {
    bytes: Vec<u8>,
    /// Of each key and each value in turn.
    ends: Vec<usize>,
}

impl Page {
    fn add(&mut self, key: &[u8], value: &[u8]) {
        for part in [key, value] {
            self.bytes.extend_from_slice(part);
            self.ends.push(self.bytes.len());
        }
    }

    fn entries(self) -> impl Iterator<Item = (Bytes, Bytes)> {
        let Self { bytes, ends } = self;
        let (bytes, mut begin) = (Bytes::from(bytes), 0);
        let mut next = move |end: usize| bytes.slice(mem::replace(&mut begin, end)..end);
        let pairs = ends.len() / 2;
        (0..pairs).map(move |pair| (next(ends[2 * pair]), next(ends[2 * pair + 1])))
    }
}
