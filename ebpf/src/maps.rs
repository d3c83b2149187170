//! Every map. Sizes written here are what a bare load gives; the loader sets the real ones.
//!
//! A bridge has both layouts of what programs write; what stands between two changes has one.

use aya_ebpf::{
    bindings::{BPF_F_MMAPABLE, BPF_F_NO_PREALLOC},
    btf_maps::{Array, HashMap, LruHashMap, PerCpuArray},
    macros::btf_map,
};
#[cfg(not(feature = "before"))]
pub use evermesh_abi::Enrolled;
#[cfg(any(feature = "up", feature = "down", feature = "before"))]
use evermesh_abi::before;
#[cfg(feature = "before")]
pub use evermesh_abi::before::Enrolled;
use evermesh_abi::{Counter, Endpoint, FrontendKey, ServiceMeta, control};
#[cfg(not(feature = "before"))]
use evermesh_abi::{Origin, UdpOrigin, UdpOriginKey};

const MMAPABLE: usize = BPF_F_MMAPABLE as usize;
const NO_PREALLOC: usize = BPF_F_NO_PREALLOC as usize;

// Configuration: belongs to a generation, written by user space only.

/// Virtual IP, port, protocol -> `FrontendValue`.
#[btf_map]
pub static FRONTENDS: HashMap<FrontendKey, u64, 1024> = HashMap::new();
/// Service id -> `ServiceWord`.
#[btf_map]
pub static SERVICES: Array<u64, 1024, MMAPABLE> = Array::new();
/// Service id -> what changes seldom.
#[btf_map]
pub static SERVICE_META: Array<ServiceMeta, 1024, MMAPABLE> = Array::new();
/// Slot -> endpoint id.
#[btf_map]
pub static SLOTS: Array<u64, 1024, MMAPABLE> = Array::new();
/// Endpoint id -> record.
#[btf_map]
pub static ENDPOINTS: Array<Endpoint, 1024, MMAPABLE> = Array::new();

/// Service id -> turns taken, per CPU; written by the programs.
#[btf_map]
pub static TURNS: PerCpuArray<u64, 1024> = PerCpuArray::new();

// Telemetry: belongs to a generation, written by the programs only.

/// `Counter` -> how often, per CPU.
#[btf_map]
pub static COUNTERS: PerCpuArray<u64, { Counter::LEN as usize }> = PerCpuArray::new();

// Frozen: shared by all generations.

/// Network-namespace cookie -> pod. Only user space writes it, so each object has it in one layout.
#[btf_map]
pub static ENROLLED: HashMap<u64, Enrolled, 4096, NO_PREALLOC> = HashMap::new();
/// Socket cookie -> what the application asked for. Where it is full, the entry longest unused makes room.
#[cfg(not(feature = "before"))]
#[btf_map]
pub static ORIGINS: LruHashMap<u64, Origin, 131072> = LruHashMap::new();
/// Unconnected UDP: (socket, address) -> service and backend.
#[cfg(not(feature = "before"))]
#[btf_map]
pub static UDP_ORIGINS: HashMap<UdpOriginKey, UdpOrigin, 262144, NO_PREALLOC> = HashMap::new();
/// Phase, heartbeat, lease.
#[btf_map]
pub static CONTROL: Array<u64, { control::WORDS as usize }> = Array::new();

// Frozen, in the layouts of the release before.

/// As `ORIGINS`.
#[cfg(any(feature = "up", feature = "down", feature = "before"))]
#[btf_map]
pub static ORIGINS_BEFORE: LruHashMap<u64, before::Origin, 131072> = LruHashMap::new();
/// As `UDP_ORIGINS`.
#[cfg(any(feature = "up", feature = "down", feature = "before"))]
#[btf_map]
pub static UDP_ORIGINS_BEFORE: HashMap<before::UdpOriginKey, before::UdpOrigin, 262144, NO_PREALLOC> =
    HashMap::new();

// Frozen, in this release's layouts: what takes the place of those above, or whose place these take.

/// As `ORIGINS`.
#[cfg(feature = "level")]
#[btf_map]
pub static ORIGINS_BESIDE: LruHashMap<u64, Origin, 131072> = LruHashMap::new();
/// As `UDP_ORIGINS`.
#[cfg(feature = "level")]
#[btf_map]
pub static UDP_ORIGINS_BESIDE: HashMap<UdpOriginKey, UdpOrigin, 262144, NO_PREALLOC> = HashMap::new();
