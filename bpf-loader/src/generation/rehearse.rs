//! New programs are tried before traffic meets them: in a cgroup of their own, over maps of their own, by a sentinel that
//! nothing else hooks.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use aya::Ebpf;
use evermesh_model::{Place, Snapshot};
use evermesh_pins::{
    EnrolmentError, Hook, MapPin, Pod, PodMap, Table,
    sys::{self, PodNetwork},
};
use evermesh_sentinel::{NAME, Sentinel, SentinelError};

use super::{BuildError, Direction, make};
use crate::{
    ApplyError, Object, TableSizes, closed,
    tables::{self, Change, State, TableWriter},
};

/// Why new programs must not meet traffic.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// There is no sentinel.
    #[error("the new programs could not be tried: {0}")]
    Sentinel(#[from] SentinelError),
    /// The programs do not load.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A map or link of the rehearsal could not be made.
    #[error("cannot {step} for the rehearsal of the new programs: {source}")]
    Kernel {
        /// What was tried.
        step: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The tables of the rehearsal could not be filled.
    #[error(transparent)]
    Contents(#[from] Box<ApplyError>),
    /// They do not do what they should.
    #[error("the new programs failed in rehearsal: {0}")]
    Failed(String),
}

/// Programs that lead one flow in a hundred astray pass once in a hundred thousand rehearsals.
const ROUNDS: u32 = 200;
/// A sentinel has one service and few sockets. There is room for the origins of all of them, so that one that should be gone is
/// not taken for old.
const SIZES: TableSizes =
    TableSizes { services: 16, endpoints: 64, origins: 8192, udp_origins: 1024, pods: 16 };

/// Has a sentinel below `above` send through these programs.
pub fn rehearse(
    object: &Object,
    direction: Direction,
    program: &Path,
    above: &Path,
) -> Result<(), RehearsalError> {
    let mut sentinel = Sentinel::start(program, above)?;
    // Frozen maps too are of the rehearsal alone: nothing that traffic left behind is met, and nothing is left behind.
    let mut object = make::maps(None, object, direction, SIZES, &[])?;
    enrol(&object, &sentinel)?;
    fill(&object)?;
    let _links = attach(&mut object, sentinel.cgroup())?;
    let mut findings = sentinel.probe(ROUNDS)?;
    closed::check(&mut findings, &[make::map(&object, direction.map(Table::Origins))?]);
    match findings.example {
        Some(what) => Err(RehearsalError::Failed(what)),
        None => Ok(()),
    }
}

fn enrol(object: &Ebpf, sentinel: &Sentinel) -> Result<(), RehearsalError> {
    let failed = |source| RehearsalError::Kernel { step: "enrol the sentinel", source };
    let network = PodNetwork::of(&sentinel.network()).map_err(failed)?;
    let map = PodMap::of(pin(object, Table::Enrolled)?.fd, Path::new(Table::Enrolled.name()));
    let enrolled = map.map_err(EnrolmentError::from).and_then(|map| map.set(&Pod::new(NAME, &network)));
    enrolled.map_err(|error| failed(io::Error::other(error)))
}

fn fill(object: &Ebpf) -> Result<(), RehearsalError> {
    let tables = Table::OF_GENERATION.map(|table| pin(object, table).map(|pin| (table, pin)));
    let tables: Vec<_> = tables.into_iter().collect::<Result<_, _>>()?;
    let contents = |error: ApplyError| RehearsalError::Contents(Box::new(error));
    let found = |wanted| tables.iter().find(|(table, _)| *table == wanted).map(|(_, pin)| pin);
    let mut writer = TableWriter::new(found).map_err(|error| contents(error.into()))?;
    let (mut state, place) = (State::empty(SIZES), Place::default());
    let mesh = Snapshot::new([evermesh_sentinel::service()], [evermesh_sentinel::workload()], [])
        .map_err(|error| RehearsalError::Failed(error.to_string()))?;
    let stores = tables::plan(&mut state, Change::everything(&mesh, &place))
        .map_err(|error| contents(error.into()))?;
    writer.execute(&stores).map(drop).map_err(|error| contents(error.into()))
}

/// The links end with their descriptors.
fn attach(object: &mut Ebpf, cgroup: &Path) -> Result<Vec<OwnedFd>, RehearsalError> {
    let failed = |source| RehearsalError::Kernel { step: "attach programs", source };
    let directory = File::open(cgroup).map_err(failed)?;
    let attach = |hook: Hook| {
        make::load_program(object, hook)?;
        let program = make::program(object, hook)?;
        sys::link_create(program, directory.as_fd(), hook.attach_type()).map_err(failed)
    };
    Hook::ALL.into_iter().map(attach).collect()
}

fn pin(object: &Ebpf, table: Table) -> Result<MapPin, RehearsalError> {
    let failed = |source| RehearsalError::Kernel { step: "use a map", source };
    let fd = make::map(object, table.symbol())?.try_clone_to_owned().map_err(failed)?;
    let info = sys::map_info(fd.as_fd()).map_err(failed)?;
    Ok(MapPin { fd, info })
}
