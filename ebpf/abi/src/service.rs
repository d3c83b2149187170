/// Element of `services`: which slots hold the endpoints of a service port. Replaced by one atomic store, so
/// an endpoint set changes at once.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ServiceWord(pub u64);

impl ServiceWord {
    /// A service without endpoints: connections to it are refused.
    pub const EMPTY: Self = Self(0);

    /// `offset` is the first slot, `count` how many slots follow.
    #[inline(always)]
    pub const fn new(offset: u32, count: u32) -> Self {
        Self((offset as u64) << 32 | count as u64)
    }

    /// Index of the first slot.
    #[inline(always)]
    pub const fn offset(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// How many slots are in use.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the low half is the count")]
    pub const fn count(self) -> u32 {
        self.0 as u32
    }
}

/// [`ServiceMeta::mode`]: every connection takes a random slot.
pub const SERVICE_MODE_RANDOM: u16 = 0;

/// Element of `service_meta`: what changes seldom about a service port.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ServiceMeta {
    /// How a slot is picked; [`SERVICE_MODE_RANDOM`].
    pub mode: u16,
    /// None defined yet; zero.
    pub flags: u16,
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
