//! The layouts between which a bridge leads, each with its maps and the way to it from what the rest of the programs knows.
//!
//! What is passed on by reference needs no room on the stack.

#[cfg(feature = "level")]
pub use beside as secondary;
#[cfg(any(feature = "up", feature = "before"))]
pub use former as primary;
#[cfg(feature = "down")]
pub use former as secondary;
#[cfg(any(feature = "down", feature = "level"))]
pub use own as primary;
#[cfg(feature = "up")]
pub use own as secondary;

/// Those of this release.
#[cfg(any(feature = "up", feature = "down", feature = "level"))]
pub mod own {
    pub use evermesh_abi::{Origin, UdpOrigin, UdpOriginKey};

    pub use crate::maps::{ORIGINS, UDP_ORIGINS};

    #[cfg(any(feature = "down", feature = "level"))]
    #[inline(always)]
    pub fn origin(origin: &Origin) -> &Origin {
        origin
    }

    #[inline(always)]
    pub fn key(key: &UdpOriginKey) -> &UdpOriginKey {
        key
    }

    #[inline(always)]
    pub fn pair(pair: &UdpOrigin) -> &UdpOrigin {
        pair
    }
}

/// Those of this release once more, in other maps.
#[cfg(feature = "level")]
pub mod beside {
    pub use super::own::{Origin, UdpOrigin, key, pair};
    pub use crate::maps::{ORIGINS_BESIDE as ORIGINS, UDP_ORIGINS_BESIDE as UDP_ORIGINS};
}

/// Those of the release before.
#[cfg(any(feature = "up", feature = "down", feature = "before"))]
pub mod former {
    pub use evermesh_abi::before::{Origin, UdpOrigin, UdpOriginKey};

    pub use crate::maps::{ORIGINS_BEFORE as ORIGINS, UDP_ORIGINS_BEFORE as UDP_ORIGINS};

    #[cfg(not(feature = "down"))]
    #[inline(always)]
    pub fn origin(origin: &evermesh_abi::Origin) -> Origin {
        (*origin).into()
    }

    #[inline(always)]
    pub fn key(key: &evermesh_abi::UdpOriginKey) -> UdpOriginKey {
        (*key).into()
    }

    #[inline(always)]
    pub fn pair(pair: &evermesh_abi::UdpOrigin) -> UdpOrigin {
        (*pair).into()
    }
}
