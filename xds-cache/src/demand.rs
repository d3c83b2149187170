use std::fmt;

/// Something that a control plane asks for and this release does not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Demand {
    /// Traffic is to go through a waypoint.
    Waypoint,
    /// Only mutual TLS is let in.
    StrictMtls,
    /// An authorization policy names the workload.
    Policy,
    /// Traffic is to be wrapped for a proxy of the application.
    ApplicationTunnel,
    /// A tunnel is offered (HBONE), and plain traffic is let in too.
    Tunnel,
    /// Only pods of the same namespace are to reach it.
    Visibility,
    /// A range of addresses.
    Range,
}

impl Demand {
    /// Every demand.
    pub const ALL: [Self; 7] = [
        Self::Waypoint,
        Self::StrictMtls,
        Self::Policy,
        Self::ApplicationTunnel,
        Self::Tunnel,
        Self::Visibility,
        Self::Range,
    ];

    /// Whether traffic that goes straight breaks what was asked for.
    fn concerns_the_way(self) -> bool {
        match self {
            Self::Waypoint | Self::StrictMtls | Self::Policy | Self::ApplicationTunnel => true,
            Self::Tunnel | Self::Visibility | Self::Range => false,
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Waypoint => "a waypoint on the way",
            Self::StrictMtls => "mutual TLS and nothing else",
            Self::Policy => "an authorization policy",
            Self::ApplicationTunnel => "a tunnel to the application",
            Self::Tunnel => "a tunnel (HBONE), if possible",
            Self::Visibility => "to be reached from its own namespace only",
            Self::Range => "a range of virtual IPs",
        })
    }
}

/// Some of them.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Demands(u8);

impl Demands {
    /// This one too, if so.
    #[must_use]
    pub fn with(self, demand: Demand, asked: bool) -> Self {
        Self(if asked { self.0 | demand.bit() } else { self.0 })
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Demand> {
        Demand::ALL.into_iter().filter(move |demand| self.0 & demand.bit() != 0)
    }

    /// Whether traffic that goes straight breaks one of them.
    pub fn concern_the_way(self) -> bool {
        self.iter().any(Demand::concerns_the_way)
    }
}

impl fmt::Debug for Demands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
