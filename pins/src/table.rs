use std::fmt;

use aya_obj::generated::{BPF_F_MMAPABLE, BPF_F_NO_PREALLOC, bpf_map_type};
use evermesh_abi::{
    Counter, Endpoint, Enrolled, FrontendKey, Origin, ServiceMeta, UdpOrigin, UdpOriginKey, before, control,
};
use serde::{Deserialize, Serialize};

/// A map of Evermesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// Virtual IP, port, protocol -> service.
    Frontends,
    /// Service -> its slots.
    Services,
    /// Service -> what changes seldom.
    ServiceMeta,
    /// Slot -> endpoint.
    Slots,
    /// Endpoint -> record.
    Endpoints,
    /// Service -> turns taken.
    Turns,
    /// How often what happened.
    Counters,
    /// Pods.
    Enrolled,
    /// What sockets asked for.
    Origins,
    /// What unconnected UDP sockets asked for.
    UdpOrigins,
    /// Phase, heartbeat, lease.
    Control,
}

/// The kernel's map type, as far as Evermesh uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MapKind {
    /// `BPF_MAP_TYPE_HASH`
    Hash,
    /// `BPF_MAP_TYPE_ARRAY`
    Array,
    /// `BPF_MAP_TYPE_PERCPU_ARRAY`
    PerCpuArray,
    /// `BPF_MAP_TYPE_LRU_HASH`
    LruHash,
    /// Another one, by its number.
    Other(u32),
}

impl MapKind {
    /// From the kernel's `enum bpf_map_type`.
    pub fn from_number(number: u32) -> Self {
        [Self::Hash, Self::Array, Self::PerCpuArray, Self::LruHash]
            .into_iter()
            .find(|kind| kind.number() == number)
            .unwrap_or(Self::Other(number))
    }

    /// The kernel's number.
    pub const fn number(self) -> u32 {
        match self {
            Self::Hash => bpf_map_type::BPF_MAP_TYPE_HASH as u32,
            Self::Array => bpf_map_type::BPF_MAP_TYPE_ARRAY as u32,
            Self::PerCpuArray => bpf_map_type::BPF_MAP_TYPE_PERCPU_ARRAY as u32,
            Self::LruHash => bpf_map_type::BPF_MAP_TYPE_LRU_HASH as u32,
            Self::Other(number) => number,
        }
    }
}

/// What the bytes of a map are, as far as the kernel tells, and the revision of their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    /// Map type.
    pub kind: MapKind,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// `BPF_F_*` flags the map was made with.
    pub flags: u32,
    /// Raised by hand when the meaning changes but the bytes do not.
    pub revision: u32,
}

impl Layout {
    /// A short identity of this layout.
    pub fn hash(&self) -> u64 {
        let fields = [self.kind.number(), self.key_size, self.value_size, self.flags, self.revision];
        let bytes: Vec<u8> = fields.into_iter().flat_map(u32::to_le_bytes).collect();
        xxhash_rust::xxh3::xxh3_64(&bytes)
    }

    /// Whether all that the kernel can tell is equal; it does not know the revision.
    pub fn has_bytes_of(&self, other: &Self) -> bool {
        Self { revision: 0, ..*self } == Self { revision: 0, ..*other }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, key_size, value_size, flags, revision } = self;
        write!(
            f,
            "{kind:?} map, key {key_size} bytes, value {value_size} bytes, flags {flags:#x}, revision {revision}"
        )
    }
}

impl Table {
    /// The tables of a generation.
    pub const OF_GENERATION: [Self; 7] = [
        Self::Frontends,
        Self::Services,
        Self::ServiceMeta,
        Self::Slots,
        Self::Endpoints,
        Self::Turns,
        Self::Counters,
    ];
    /// Every one.
    pub const ALL: [Self; 11] = [
        Self::Frontends,
        Self::Services,
        Self::ServiceMeta,
        Self::Slots,
        Self::Endpoints,
        Self::Turns,
        Self::Counters,
        Self::Enrolled,
        Self::Origins,
        Self::UdpOrigins,
        Self::Control,
    ];
    /// The maps that all generations share.
    pub const FROZEN: [Self; 4] = [Self::Enrolled, Self::Origins, Self::UdpOrigins, Self::Control];
    /// Those of them that programs write, and that are carried over while they do.
    pub const CARRIED: [Self; 2] = [Self::Origins, Self::UdpOrigins];
    /// Those that a generation may bring anew: besides, the one that user space writes, which waits meanwhile.
    pub const BROUGHT: [Self; 3] = [Self::Enrolled, Self::Origins, Self::UdpOrigins];

    /// Name of the pin.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Frontends => "frontends",
            Self::Services => "services",
            Self::ServiceMeta => "service_meta",
            Self::Slots => "slots",
            Self::Endpoints => "endpoints",
            Self::Turns => "turns",
            Self::Counters => "counters",
            Self::Enrolled => "enrolled",
            Self::Origins => "origins",
            Self::UdpOrigins => "udp_origins",
            Self::Control => "control",
        }
    }

    /// Name in the eBPF object.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Frontends => "FRONTENDS",
            Self::Services => "SERVICES",
            Self::ServiceMeta => "SERVICE_META",
            Self::Slots => "SLOTS",
            Self::Endpoints => "ENDPOINTS",
            Self::Turns => "TURNS",
            Self::Counters => "COUNTERS",
            Self::Enrolled => "ENROLLED",
            Self::Origins => "ORIGINS",
            Self::UdpOrigins => "UDP_ORIGINS",
            Self::Control => "CONTROL",
        }
    }

    /// Name in the eBPF objects of the map in its layout of the release before.
    pub const fn symbol_before(self) -> &'static str {
        match self {
            Self::Origins => "ORIGINS_BEFORE",
            Self::UdpOrigins => "UDP_ORIGINS_BEFORE",
            other => other.symbol(),
        }
    }

    /// Name in the eBPF object of the map beside one of the same layout, while one takes the other's place.
    pub const fn symbol_beside(self) -> &'static str {
        match self {
            Self::Origins => "ORIGINS_BESIDE",
            Self::UdpOrigins => "UDP_ORIGINS_BESIDE",
            other => other.symbol(),
        }
    }

    /// The layout that this release reads and writes.
    pub const fn layout(self) -> Layout {
        match self {
            Self::Frontends => layout::<FrontendKey, u64>(MapKind::Hash, 0, 1),
            Self::Services | Self::Slots => layout::<u32, u64>(MapKind::Array, BPF_F_MMAPABLE, 1),
            Self::ServiceMeta => layout::<u32, ServiceMeta>(MapKind::Array, BPF_F_MMAPABLE, 1),
            Self::Endpoints => layout::<u32, Endpoint>(MapKind::Array, BPF_F_MMAPABLE, 1),
            Self::Turns | Self::Counters => layout::<u32, u64>(MapKind::PerCpuArray, 0, 1),
            Self::Enrolled => layout::<u64, Enrolled>(MapKind::Hash, BPF_F_NO_PREALLOC, 1),
            Self::Origins => layout::<u64, Origin>(MapKind::LruHash, 0, 1),
            Self::UdpOrigins => layout::<UdpOriginKey, UdpOrigin>(MapKind::Hash, BPF_F_NO_PREALLOC, 1),
            Self::Control => layout::<u32, u64>(MapKind::Array, 0, 1),
        }
    }

    /// The layout of the release before, which this release can carry over.
    pub const fn layout_before(self) -> Layout {
        match self {
            Self::Enrolled => layout::<u64, before::Enrolled>(MapKind::Hash, BPF_F_NO_PREALLOC, 1),
            Self::Origins => layout::<u64, before::Origin>(MapKind::LruHash, 0, 1),
            Self::UdpOrigins => {
                layout::<before::UdpOriginKey, before::UdpOrigin>(MapKind::Hash, BPF_F_NO_PREALLOC, 1)
            }
            other => other.layout(),
        }
    }

    /// Elements, where the size is no choice.
    pub const fn fixed_entries(self) -> Option<u32> {
        match self {
            Self::Counters => Some(Counter::LEN),
            Self::Control => Some(control::WORDS),
            _ => None,
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "sizes of small types")]
const fn layout<K, V>(kind: MapKind, flags: u32, revision: u32) -> Layout {
    Layout { kind, key_size: size_of::<K>() as u32, value_size: size_of::<V>() as u32, flags, revision }
}
