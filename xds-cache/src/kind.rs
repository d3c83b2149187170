use std::fmt;

use evermesh_proto::{security::AUTHORIZATION, workload::ADDRESS};

/// What is subscribed to; all resources of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Services and workloads.
    Address,
    /// Who may speak with whom.
    Authorization,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Address, Self::Authorization];

    /// Its name on the wire.
    pub fn type_url(self) -> &'static str {
        match self {
            Self::Address => ADDRESS,
            Self::Authorization => AUTHORIZATION,
        }
    }

    /// The kind of that name.
    pub fn of(type_url: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_url() == type_url)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "Address",
            Self::Authorization => "Authorization",
        })
    }
}
