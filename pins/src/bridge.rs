use std::fmt;

/// One of the two sets of programs between a generation and the next one that brings frozen maps anew. Both write the
/// maps in use and those that are brought; they differ in which of them they read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BridgeEnd {
    /// Reads the maps in use: it may run beside programs that know no others.
    Near,
    /// Reads those that take their place: it may run beside programs that know no others.
    Far,
}

impl BridgeEnd {
    /// Both, in the order in which links come to them.
    pub const ALL: [Self; 2] = [Self::Near, Self::Far];

    /// Name of the directory of its pins.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Near => "near",
            Self::Far => "far",
        }
    }
}

impl fmt::Display for BridgeEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
