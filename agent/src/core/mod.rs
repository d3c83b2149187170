//! What to do on which event. Pure: time and results come with the events, and what is to be done goes out as
//! actions that the runtime performs.
//!
//! One configuration is on its way at a time. A change that is seen meanwhile is read afterwards, so the newest
//! one always wins and nobody waits for more than two readings.

mod control_plane;
mod load;
mod orphans;
mod room;
mod status;
mod trial;
mod upkeep;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use evermesh_handover::gate::Verdict;
use evermesh_loader::{Applied, Started};
use evermesh_model::LastApplied;
use evermesh_xds_cache::client::Link;

use crate::source::Loaded;
use control_plane::Following;
pub use control_plane::{Feed, Offered};
use load::Loading;
use orphans::Looking;
use upkeep::Saving;

/// Somebody who asked for a reload and waits for its outcome.
pub type Ticket = u64;

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// The source may have changed.
    Changed,
    /// Somebody wants it read again and waits for the outcome.
    Reload(Ticket),
    /// [`Action::Read`] is done.
    Read(Result<Found, String>),
    /// A control plane says that this is the mesh, and somebody waits for the outcome.
    Offered(Box<Offered>, Ticket),
    /// The connection to the control plane is so.
    Link(Box<Link>),
    /// [`Action::Apply`] is done.
    Applied(Result<Applied, NotApplied>),
    /// [`Action::Recall`] is done: what was found, and a note where it is of no use.
    Recalled(Option<Box<LastApplied>>, Option<String>),
    /// [`Action::Save`] is done.
    Saved(Result<(), String>),
    /// It is time to look whether everything is as it should be, or somebody asks for it.
    Audit,
    /// Any other chore is done; how much it wrote to the tables.
    Done(Chore, Result<u64, String>),
    /// [`Chore::Orphans`] is done.
    OrphansDestroyed(Destroyed),
    /// [`Action::Judge`] is done.
    Judged(Verdict),
    /// [`Action::Commit`] is done; what there is to say of it.
    Committed(Result<Vec<String>, String>),
    /// [`Action::RollBack`] is done, because of that; what there is to say of it.
    RolledBack(String, Result<Vec<String>, String>),
}

/// What became of the sockets whose endpoint is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Destroyed {
    /// So many are destroyed.
    pub sockets: usize,
    /// Others are not.
    pub left: Option<Left>,
}

/// Why sockets are left whose endpoint is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// This kernel cannot destroy any, and what that costs.
    Unsupported(String),
    /// It failed, because of that.
    Failed(String),
}

/// What was found at the source.
#[derive(Debug)]
pub enum Found {
    /// What is applied already.
    Same,
    /// A mesh.
    New(Box<Loaded>),
}

/// Work that changes nothing about the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chore {
    /// Compare the tables with what was applied, and put right what differs.
    Audit,
    /// Make usable again what a change has freed.
    Reclaim,
    /// Say in the kernel's control map that the agent is alive.
    Heartbeat,
    /// Bring to the disk what generations before have counted, where that failed.
    Tally,
    /// Destroy the connected UDP sockets whose endpoint is gone, so that their applications connect again.
    Orphans,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Read the source, and understand it unless it has this digest.
    Read { unless: Option<[u8; 32]> },
    /// Lead the tables to this.
    Apply(Arc<LastApplied>),
    /// Keep it on disk.
    Save(Arc<LastApplied>),
    /// Note that the tables hold this, if they do, for a quicker start.
    Note(Arc<LastApplied>),
    /// Read from disk what was applied last.
    Recall,
    /// Do it now; but what follows a change a little later, when programs that ran meanwhile have most likely ended.
    Do(Chore),
    /// Tell one who waits what became of the reload.
    Answer(Ticket, Outcome),
    /// Log it.
    Info(String),
    /// Log it, as something that needs attention.
    Warn(String),
    /// Tell the supervisor that the agent has started.
    Ready,
    /// Ask what becomes of the generation on trial, a little later.
    Judge,
    /// The generation on trial stays.
    Commit,
    /// The generation before takes over again, because of that.
    RollBack(String),
    /// End the agent, because of that.
    End(String),
}

/// Why the tables were not led to a configuration. They say what they said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotApplied {
    /// There is no room for it.
    Full(String),
    /// Anything else.
    Failed(String),
}

impl NotApplied {
    fn into_reason(self) -> String {
        match self {
            Self::Full(reason) | Self::Failed(reason) => reason,
        }
    }
}

/// What became of a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Traffic obeys it. The digest of the source.
    Applied([u8; 32]),
    /// Traffic obeyed it already. The digest of the source.
    Unchanged([u8; 32]),
    /// Traffic obeys what it obeyed before.
    Refused(Refused),
}

/// Why the newest configuration is not applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// One problem a line.
    pub reason: String,
    /// Since when: wall clock, milliseconds since 1970.
    pub at_unix_ms: u64,
}

/// What the start of an agent has come to.
#[derive(Debug)]
pub struct Beginning {
    pub feed: Feed,
    pub source: String,
    /// Name of this node.
    pub node: String,
    /// The release is on trial.
    pub candidate: bool,
    pub now_unix_ms: u64,
    pub started: Started,
    /// What the tables say, if that is known.
    pub applied: Option<Arc<LastApplied>>,
    /// Whether it is on disk.
    pub saved: bool,
    /// What the tables say was laid from a source of this digest, and is still to be read from disk.
    pub recalling: Option<[u8; 32]>,
    /// Was applied whole before, where the tables have had no room for all that came since.
    pub fits: Option<Arc<LastApplied>>,
    pub refused: Option<String>,
    pub notes: Vec<String>,
}

/// All that the agent knows.
#[derive(Debug)]
pub struct Core {
    feed: Feed,
    following: Following,
    source: String,
    node: String,
    candidate: bool,
    on_trial: bool,
    pid: u32,
    started_unix_ms: u64,
    started: Started,
    notes: Vec<String>,
    applied: Option<Arc<LastApplied>>,
    /// Was applied whole before, where the tables have had no room for all that came since.
    fits: Option<Arc<LastApplied>>,
    counts: Applied,
    refused: Option<Refused>,
    loading: Loading,
    saving: Saving,
    writes: u64,
    drifts: u64,
    drifted_unix_ms: Option<u64>,
    troubles: BTreeMap<Chore, String>,
    looking: Looking,
    /// Sockets, since the agent started.
    destroyed: u64,
}

impl Core {
    /// The state after a start, and what is to be done first.
    pub fn new(beginning: Beginning) -> (Self, Vec<Action>) {
        let Beginning { feed, source, node, candidate, now_unix_ms, started, applied, .. } = beginning;
        let (saved, recalling) = (beginning.saved, beginning.recalling);
        let (refused, mut notes) = (beginning.refused, beginning.notes);
        notes.extend(started.notes.iter().cloned());
        let mut core = Self {
            feed,
            following: Following::default(),
            source,
            node,
            candidate,
            on_trial: started.on_trial(),
            pid: std::process::id(),
            started_unix_ms: now_unix_ms,
            writes: started.applied.writes,
            counts: started.applied,
            started,
            notes,
            applied,
            fits: beginning.fits,
            refused: None,
            loading: recalling.map_or_else(Loading::default, Loading::recalling),
            saving: Saving::default(),
            drifts: 0,
            drifted_unix_ms: None,
            troubles: BTreeMap::new(),
            looking: Looking::default(),
            destroyed: 0,
        };
        let mut actions = core.begin(saved, refused, now_unix_ms);
        // After all else: that the agent is ready does not wait for it.
        actions.extend(recalling.map(|_| Action::Recall));
        (core, actions)
    }

    fn begin(&mut self, saved: bool, refused: Option<String>, now_unix_ms: u64) -> Vec<Action> {
        let notes = self.notes.iter().cloned().map(Action::Info);
        let mut actions: Vec<_> = notes.chain([Action::Info(self.summary())]).collect();
        actions.extend(self.warnings(&[]));
        if let Some(reason) = refused {
            actions.extend(self.refuse(reason, now_unix_ms).1);
        }
        match saved {
            true => actions.extend(self.note()),
            false => actions.extend(self.keep_found()),
        }
        actions.extend([Action::Do(Chore::Reclaim), Action::Do(Chore::Tally)]);
        // Endpoints may have gone while no agent ran.
        actions.extend(self.look_for_orphans());
        actions.push(self.ready_or_on_trial());
        actions
    }

    /// Takes in what happened at `now_unix_ms`, and says what is to be done.
    pub fn on(&mut self, event: Event, now_unix_ms: u64) -> Vec<Action> {
        match event {
            Event::Changed => self.changed(None),
            Event::Reload(ticket) => self.changed(Some(ticket)),
            Event::Read(found) => self.read(found, now_unix_ms),
            Event::Offered(offered, ticket) => self.offered(*offered, ticket, now_unix_ms),
            Event::Link(link) => self.linked(*link),
            Event::Applied(result) => self.was_applied(result, now_unix_ms),
            Event::Recalled(found, note) => self.recalled(found, note, now_unix_ms),
            Event::Saved(result) => self.saved(result),
            Event::Audit => self.audit(),
            Event::Done(chore, result) => self.done(chore, result, now_unix_ms),
            Event::OrphansDestroyed(destroyed) => self.orphans_destroyed(destroyed),
            Event::Judged(verdict) => self.judged(verdict),
            Event::Committed(result) => self.committed(result),
            Event::RolledBack(reason, result) => self.rolled_back(&reason, result),
        }
    }
}
