use std::{fmt, path::PathBuf};

use evermesh_pins::{BridgeEnd, Hook, PinDir};

/// A set of programs that links can attach, one for each hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Programs {
    /// Those of a generation.
    Of(u32),
    /// Those that lead to a generation while frozen maps are carried over. They run over its tables.
    Bridge(u32, BridgeEnd),
}

impl Programs {
    /// The generation whose tables they run over.
    pub fn generation(self) -> u32 {
        match self {
            Self::Of(generation) | Self::Bridge(generation, _) => generation,
        }
    }

    /// Where one of them is pinned.
    pub fn pin(self, pins: &PinDir, hook: Hook) -> PathBuf {
        match self {
            Self::Of(generation) => pins.program(generation, hook),
            Self::Bridge(generation, end) => pins.bridge_program(generation, end, hook),
        }
    }
}

impl fmt::Display for Programs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(generation) => write!(f, "generation {generation}"),
            Self::Bridge(generation, end) => {
                write!(f, "the {end} end of the bridge to generation {generation}")
            }
        }
    }
}
