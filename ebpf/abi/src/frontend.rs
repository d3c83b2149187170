use crate::Address;

/// Key of `frontends`: where an application asks to go.
///
/// A key with port 0 and protocol 0 marks its address as a known virtual IP: a destination on it that has no
/// key of its own is refused.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct FrontendKey {
    /// The virtual IP.
    pub address: Address,
    /// Network byte order.
    pub port: u16,
    /// IP protocol number, TCP or UDP.
    pub protocol: u8,
    /// Always zero.
    pub pad: u8,
}

const _: () = assert!(size_of::<FrontendKey>() == 20);

impl FrontendKey {
    /// `port` is in network byte order.
    #[inline(always)]
    pub const fn new(address: Address, port: u16, protocol: u8) -> Self {
        Self { address, port, protocol, pad: 0 }
    }

    /// The key that marks `address` as a known virtual IP.
    #[inline(always)]
    pub const fn known_address(address: Address) -> Self {
        Self::new(address, 0, 0)
    }

    /// Whether this is a [`Self::known_address`].
    #[inline(always)]
    pub const fn is_mark(&self) -> bool {
        self.protocol == 0
    }

    /// FNV-1a over the words of the key. It stands in the value, so a reader that was handed the element of
    /// another key (freed and reused between look-up and load) notices.
    #[inline(always)]
    pub const fn fingerprint(&self) -> u32 {
        const PRIME: u32 = 0x0100_0193;
        let a = &self.address.0;
        let last = (self.port as u32) << 16 | (self.protocol as u32) << 8;
        let mut hash = 0x811c_9dc5u32;
        hash = (hash ^ a[0]).wrapping_mul(PRIME);
        hash = (hash ^ a[1]).wrapping_mul(PRIME);
        hash = (hash ^ a[2]).wrapping_mul(PRIME);
        hash = (hash ^ (a[3] ^ a[3] >> 16)).wrapping_mul(PRIME);
        hash = (hash ^ (last ^ last >> 16)).wrapping_mul(PRIME);
        hash ^ hash >> 15
    }
}

/// Value of `frontends`: one word, loaded once.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrontendValue(pub u64);

impl FrontendValue {
    /// `service` is 0 for a [`FrontendKey::known_address`].
    #[inline(always)]
    pub const fn new(service: u32, key: &FrontendKey) -> Self {
        Self((key.fingerprint() as u64) << 32 | service as u64)
    }

    /// Index into `services`.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the low half is the service id")]
    pub const fn service(self) -> u32 {
        self.0 as u32
    }

    /// Whether this value was written for `key`.
    #[inline(always)]
    pub const fn belongs_to(self, key: &FrontendKey) -> bool {
        (self.0 >> 32) as u32 == key.fingerprint()
    }
}
