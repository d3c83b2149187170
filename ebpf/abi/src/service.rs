/// [`ServiceWord::algorithm`]: every flow takes a random slot.
pub const ALGORITHM_RANDOM: u8 = 0;
/// [`ServiceWord::algorithm`]: each CPU takes the slots in turns.
pub const ALGORITHM_ROUND_ROBIN: u8 = 1;
/// [`ServiceWord::algorithm`]: the hash of the client's address says which slot.
pub const ALGORITHM_MAGLEV: u8 = 2;
/// [`ServiceWord::algorithm`]: there is no slot to take, and flows are left alone.
pub const ALGORITHM_NONE: u8 = 3;

/// Element of `services`: which slots hold the endpoints of a service port, and how one is picked. Replaced by one
/// atomic store, so an endpoint set changes at once.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ServiceWord(pub u64);

impl ServiceWord {
    /// A service without endpoints: connections to it are refused.
    pub const EMPTY: Self = Self(0);
    /// A service whose flows are left alone, as if its keys were not there.
    pub const LEFT_ALONE: Self = Self::new(ALGORITHM_NONE, 0, 0);
    /// How many slots one service can have.
    pub const MAX_COUNT: u32 = (1 << 24) - 1;

    /// `offset` is the first slot, `count` (up to [`Self::MAX_COUNT`]) how many slots follow.
    #[inline(always)]
    pub const fn new(algorithm: u8, offset: u32, count: u32) -> Self {
        Self((offset as u64) << 32 | (algorithm as u64) << 24 | (count & Self::MAX_COUNT) as u64)
    }

    /// Index of the first slot.
    #[inline(always)]
    pub const fn offset(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// How a slot is picked: [`ALGORITHM_RANDOM`], [`ALGORITHM_ROUND_ROBIN`], [`ALGORITHM_MAGLEV`] or [`ALGORITHM_NONE`].
    #[inline(always)]
    pub const fn algorithm(self) -> u8 {
        (self.0 >> 24) as u8
    }

    /// How many slots are in use.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "24 bits are left")]
    pub const fn count(self) -> u32 {
        self.0 as u32 & Self::MAX_COUNT
    }
}

/// Element of `service_meta`: what changes seldom about a service port.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ServiceMeta {
    /// None defined yet; zero.
    pub flags: u32,
    /// The service's port in host byte order, for people who read the table.
    pub port: u16,
    /// 4 or 6: the family of the virtual IPs and of every endpoint.
    pub family: u8,
    /// Always zero.
    pub pad: u8,
    /// Digest of the service's name, port and family. It keeps the id stable when user space lost its memory. 0: the id is free.
    pub digest: u64,
}

const _: () = assert!(size_of::<ServiceMeta>() == 16);
