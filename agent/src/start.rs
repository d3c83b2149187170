use std::{
    fs, mem,
    panic::resume_unwind,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use evermesh_loader::{Config, Object};
use evermesh_model::{LastApplied, Snapshot};
use evermesh_pins::{
    Inventory, PinDir,
    host::{self, Cgroup, HostError},
};
use evermesh_xds_cache::client::Address;
use nix::{
    sys::stat::{Mode, umask},
    unistd::{AccessFlags, access},
};
use tracing::warn;

use crate::{
    AgentError, Options, admin, clock,
    core::{Beginning, Found},
    data_plane::{Begun, Choice, Opening, Plane},
    heap,
    judge::Judge,
    laid::{Note, NoteFile},
    last_words::LastWords,
    message,
    record::Record,
    runtime::{self, Source, Works},
    slice,
    source::{self, SourceError},
    supervisor,
    xds::ControlPlane,
};

/// Runs the agent until SIGTERM. To be called by a process that does nothing else: files that it makes are for their
/// owner alone from then on.
///
/// 1. Checks that the host offers what is needed, and that what is applied can be kept.
/// 2. Reads side by side what was applied last, the source, and what stands in the kernel; parses files only where
///    they differ. A control plane is not asked: what it said last is on disk.
/// 3. Leads what stands in the kernel to the newest of these that is usable. Where the tables hold what was laid from this very
///    source, they are right as they stand: what was applied is read once the agent is ready.
/// 4. Makes the admin socket, hears signals, says that it is ready, and works. Where traffic was led to a new generation,
///    it says so only when that has proven itself.
///
/// Where anything fails, nothing is detached.
pub fn run(options: &Options) -> Result<(), AgentError> {
    heap::hold_less();
    start(options).inspect_err(supervisor::failed)
}

fn start(options: &Options) -> Result<(), AgentError> {
    let config = data_plane(options)?;
    let pins = config.pins.clone();
    let bare = is_bare(&pins);
    // With files there may be nothing to run with, and then nothing is made.
    let opening = Plane::open(config, !bare || options.xds.xds_address.is_some())?;
    let record = Record::new(&options.state_dir);
    let note = NoteFile::new(&options.state_dir, &options.node());
    let (prospect, plane, begun) = match (&options.xds.xds_address, &options.config) {
        (Some(address), _) => from_control_plane(options, address, &record, bare).start(opening)?,
        (None, Some(config)) => from_files(opening, config, &record, &note, bare)?,
        (None, None) => return Err(AgentError::NoSource),
    };

    let beginning = Beginning {
        feed: prospect.source.feed(),
        source: prospect.source.to_string(),
        node: options.node(),
        candidate: options.candidate,
        now_unix_ms: clock::unix_ms(),
        started: begun.started,
        saved: begun.applied.as_ref().is_none_or(|applied| prospect.known.as_ref() == Some(applied)),
        applied: begun.applied,
        recalling: prospect.recalling,
        fits: prospect.fits,
        refused: prospect.refused.or(begun.refused),
        notes: prospect.notes,
    };
    let works = Works {
        source: prospect.source,
        record,
        note,
        pins,
        plane,
        last_words: LastWords::new(&options.run_dir),
        judge: Judge::new(&options.run_dir),
        admin: bind(&options.run_dir),
    };
    work(works, beginning)
}

/// The data plane of this process, on a host that was checked.
pub fn data_plane(options: &Options) -> Result<Config, AgentError> {
    umask(Mode::S_IRWXG | Mode::S_IRWXO);
    let cgroup = require_host(options)?;
    prepare_directories(options)?;
    Ok(Config {
        node: options.node(),
        lease: Duration::from_millis(options.lease_ms),
        sizes: options.sizes(),
        baseline: Duration::from_millis(options.baseline_ms),
        candidate: options.candidate,
        accept_loss: options.accept_loss.clone(),
        object: programs(options)?,
        sentinel: std::env::current_exe().ok(),
        ..Config::new(PinDir::new(&options.bpffs), cgroup, &options.state_dir)
    })
}

fn programs(options: &Options) -> Result<Object, AgentError> {
    let read = |path: &PathBuf| {
        Object::read(path).map_err(|source| AgentError::Programs { path: path.clone(), source })
    };
    options.programs.as_ref().map_or_else(|| Ok(Object::default()), read)
}

/// What an agent could start with.
struct Prospect {
    source: Source,
    /// The best first.
    choices: Vec<Choice>,
    /// What the record on disk says.
    known: Option<Arc<LastApplied>>,
    /// What the tables were known to have room for, where that is not what they say.
    fits: Option<Arc<LastApplied>>,
    /// Why the newest is not among the choices.
    refused: Option<String>,
    notes: Vec<String>,
    /// What stands is what was laid from a source of this digest. The mesh is read afterwards.
    recalling: Option<[u8; 32]>,
}

impl Prospect {
    fn start(mut self, opening: Opening) -> Result<(Self, Plane, Begun), AgentError> {
        let (plane, begun) = opening.start(mem::take(&mut self.choices))?;
        Ok((self, plane, begun))
    }
}

/// With a note of what was laid, the mesh is most likely not needed to know that the tables are right.
fn from_files(
    mut opening: Opening,
    config: &Path,
    record: &Record,
    note: &NoteFile,
    bare: bool,
) -> Result<(Prospect, Plane, Begun), AgentError> {
    let source = Source::Files(config.to_owned());
    let note = note.read();
    let (raw, recorded) = match &note {
        Some(_) => (source::read(config), None),
        None => thread::scope(|scope| {
            let reading = thread::Builder::new().spawn_scoped(scope, || source::read(config));
            let recorded = record.read();
            let raw = match reading {
                Ok(reading) => reading.join().unwrap_or_else(|panic| resume_unwind(panic)),
                Err(_) => source::read(config),
            };
            (raw, Some(recorded))
        }),
    };
    let same = |note: &Note| raw.as_ref().is_ok_and(|raw| raw.digest() == note.digest);
    if let Some(Note { digest, laid, .. }) = note.filter(same) {
        match opening.start_as_laid(laid)? {
            Ok((plane, begun)) => {
                let prospect = Prospect {
                    source,
                    choices: Vec::new(),
                    known: None,
                    fits: None,
                    refused: None,
                    notes: Vec::new(),
                    recalling: Some(digest),
                };
                return Ok((prospect, plane, begun));
            }
            Err(other) => opening = other,
        }
    }
    let (known, told) = recorded.unwrap_or_else(|| record.read());
    let known = known.map(Arc::new);
    let found = raw.and_then(|raw| understand(raw, known.as_deref()));
    let (choices, refused) = choices(config, known.as_ref(), found, bare)?;
    let notes = told.into_iter().collect();
    Prospect { source, choices, known, fits: None, refused, notes, recalling: None }.start(opening)
}

/// What the control plane said last is on disk. Where that is lost, what stands in the kernel is newer than the record
/// of everything, which is written only now and then; and where nothing stands, the record is the best there is.
fn from_control_plane(options: &Options, address: &Address, record: &Record, bare: bool) -> Prospect {
    let control_plane = ControlPlane::open(&options.xds, address, options.node(), &options.state_dir);
    let mut notes = control_plane.notes();
    let said = control_plane.said().map(Arc::new);
    let known = match (&said, bare) {
        (None, true) => {
            let (known, note) = record.read();
            notes.extend(note);
            known.map(Arc::new)
        }
        _ => None,
    };
    let as_it_stands = (!bare).then_some(None);
    let mut choices: Vec<Choice> =
        said.into_iter().chain(known.clone()).map(Some).chain(as_it_stands).collect();
    if choices.is_empty() {
        choices.push(Some(Arc::new(nothing_yet(&control_plane))));
    }
    let fits = control_plane.fits().map(Arc::new);
    let source = Source::ControlPlane(Box::new(control_plane));
    Prospect { source, choices, known, fits, refused: None, notes, recalling: None }
}

fn nothing_yet(control_plane: &ControlPlane) -> LastApplied {
    LastApplied {
        source: control_plane.source(),
        digest: [0; 32],
        applied_unix_ms: clock::unix_ms(),
        warnings: Vec::new(),
        snapshot: Snapshot::default(),
    }
}

fn require_host(options: &Options) -> Result<Cgroup, HostError> {
    host::require_root()?;
    host::require_kernel()?;
    host::require_bpffs(&options.bpffs)?;
    host::cgroup(options.cgroup.as_deref())
}

fn prepare_directories(options: &Options) -> Result<(), AgentError> {
    let path = &options.state_dir;
    // Root may write everywhere but on a file system that is read-only: that is what is asked here.
    fs::create_dir_all(path)
        .and_then(|()| Ok(access(path, AccessFlags::W_OK)?))
        .map_err(|source| AgentError::StateDir { path: path.clone(), source })?;
    let path = &options.run_dir;
    fs::create_dir_all(path).map_err(|source| AgentError::RunDir { path: path.clone(), source })
}

fn understand(raw: source::Raw, known: Option<&LastApplied>) -> Result<Found, SourceError> {
    match known.is_some_and(|known| known.digest == raw.digest()) {
        true => Ok(Found::Same),
        false => raw.parse().map(|loaded| Found::New(Box::new(loaded))),
    }
}

/// Whether traffic obeys nothing of ours yet. What cannot be read is not bare: the data plane says what is wrong with it.
fn is_bare(pins: &PinDir) -> bool {
    Inventory::read(pins).is_ok_and(|inventory| inventory.live.is_none() && inventory.links.is_empty())
}

/// What may be started with, the best first, and why the newest is not among it.
fn choices(
    config: &Path,
    known: Option<&Arc<LastApplied>>,
    found: Result<Found, SourceError>,
    bare: bool,
) -> Result<(Vec<Choice>, Option<String>), AgentError> {
    let (newest, refused) = match found {
        Ok(Found::Same) => (None, None),
        Ok(Found::New(loaded)) => (Some(Arc::new(candidate(config, *loaded))), None),
        Err(error) if bare && known.is_none() => return Err(AgentError::NothingKnown(error)),
        Err(error) => (None, Some(message::of(&error))),
    };
    let usable = newest.into_iter().chain(known.cloned()).map(Some);
    let as_it_stands = (!bare).then_some(None);
    Ok((usable.chain(as_it_stands).collect(), refused))
}

fn candidate(config: &Path, loaded: source::Loaded) -> LastApplied {
    let source::Loaded { snapshot, digest, warnings, files: _ } = loaded;
    let source = config.display().to_string();
    LastApplied { source, digest, applied_unix_ms: clock::unix_ms(), warnings, snapshot }
}

/// Traffic does not need the socket, so a start does not fail for it.
fn bind(run_dir: &Path) -> Option<std::os::unix::net::UnixListener> {
    admin::bind(run_dir)
        .inspect_err(|error| {
            let run_dir = run_dir.display();
            warn!(%run_dir, %error, "there is no admin socket: `evermesh status` shows the agent as dead");
        })
        .ok()
}

fn work(works: Works, beginning: Beginning) -> Result<(), AgentError> {
    let failed = |source| AgentError::Runtime { step: "start the runtime", source };
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    slice::shorten();
    let ended = tokio.block_on(runtime::run(works, beginning));
    // What still reads or writes a file is not waited for: every file is replaced at once or not at all.
    tokio.shutdown_background();
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Arc<LastApplied> {
        Arc::new(candidate(Path::new("/mesh.yaml"), loaded(1)))
    }

    fn loaded(digest: u8) -> source::Loaded {
        source::Loaded {
            snapshot: Snapshot::default(),
            digest: [digest; 32],
            warnings: vec![],
            files: vec![],
        }
    }

    fn new() -> Result<Found, SourceError> {
        Ok(Found::New(Box::new(loaded(2))))
    }

    fn missing() -> Result<Found, SourceError> {
        Err(SourceError::Missing { path: "/mesh.yaml".into() })
    }

    /// First bytes of the digests; 0: as it stands.
    fn chosen(
        known: Option<Arc<LastApplied>>,
        found: Result<Found, SourceError>,
        bare: bool,
    ) -> (Vec<u8>, bool) {
        let (choices, refused) = choices(Path::new("/mesh.yaml"), known.as_ref(), found, bare).unwrap();
        let digest = |choice: Choice| choice.map_or(0, |choice| choice.digest[0]);
        (choices.into_iter().map(digest).collect(), refused.is_some())
    }

    #[test]
    fn the_newest_comes_first_then_what_was_applied_last_then_what_stands() {
        assert_eq!(chosen(Some(known()), new(), false), (vec![2, 1, 0], false));
        assert_eq!(chosen(Some(known()), Ok(Found::Same), false), (vec![1, 0], false));
        assert_eq!(chosen(None, new(), false), (vec![2, 0], false));
    }

    #[test]
    fn where_nothing_stands_that_is_no_choice() {
        assert_eq!(chosen(None, new(), true), (vec![2], false));
        assert_eq!(chosen(Some(known()), new(), true), (vec![2, 1], false));
    }

    #[test]
    fn a_wrong_source_is_passed_over_and_told() {
        assert_eq!(chosen(Some(known()), missing(), true), (vec![1], true));
        assert_eq!(chosen(Some(known()), missing(), false), (vec![1, 0], true));
        assert_eq!(chosen(None, missing(), false), (vec![0], true));
    }

    #[test]
    fn with_nothing_at_all_there_is_no_start() {
        let error = choices(Path::new("/mesh.yaml"), None, missing(), true).unwrap_err();
        assert_eq!(error.exit_code(), 78);
        insta::assert_snapshot!(error, @"nothing to run with: `/mesh.yaml` does not exist: create it, or name another file or directory");
    }
}
