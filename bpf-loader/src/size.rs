use evermesh_pins::{Table, TableEntries};
use serde::{Deserialize, Serialize};

/// How large the tables of a generation are made, and the frozen maps that it may bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TableSizes {
    /// Service ports, counted once for each address family that has a virtual IP.
    pub services: u32,
    /// Memberships of workloads in service ports.
    pub endpoints: u32,
    /// Sockets whose connection is remembered.
    pub origins: u32,
    /// What unconnected UDP sockets asked for: three for each service that a socket talks to.
    pub udp_origins: u32,
    /// Enrolled pods.
    pub pods: u32,
}

impl Default for TableSizes {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl TableSizes {
    /// About 10 MB of kernel memory, and 22 MB for the frozen maps.
    pub const DEFAULT: Self =
        Self { services: 16_384, endpoints: 131_072, origins: 131_072, udp_origins: 262_144, pods: 4096 };

    /// Elements of a table. Id 0 is never used in `services` and `endpoints`. A service port takes a
    /// frontend for each virtual IP and protocol, and a virtual IP one more; slot ranges are powers of two, and a
    /// range is copied when a set changes, hence twice and once more.
    pub fn entries(&self, table: Table) -> u32 {
        match table {
            Table::Frontends => self.services.saturating_mul(4),
            Table::Services | Table::ServiceMeta | Table::Turns => self.services.saturating_add(1),
            Table::Endpoints => self.endpoints.saturating_add(1),
            Table::Slots => self.endpoints.saturating_mul(3),
            Table::Origins => self.origins,
            Table::UdpOrigins => self.udp_origins,
            Table::Enrolled => self.pods,
            other => other.fixed_entries().unwrap_or(0),
        }
    }

    /// Elements of all configuration tables.
    pub fn all(&self) -> TableEntries {
        TableEntries {
            frontends: self.entries(Table::Frontends),
            services: self.entries(Table::Services),
            slots: self.entries(Table::Slots),
            endpoints: self.entries(Table::Endpoints),
        }
    }

    /// The same, with another number of elements in a frozen map that a generation may bring.
    #[must_use]
    pub fn with_entries(self, table: Table, entries: u32) -> Self {
        match table {
            Table::Origins => Self { origins: entries, ..self },
            Table::UdpOrigins => Self { udp_origins: entries, ..self },
            Table::Enrolled => Self { pods: entries, ..self },
            _ => self,
        }
    }

    /// The larger of both, field by field.
    pub fn max(self, other: Self) -> Self {
        Self {
            services: self.services.max(other.services),
            endpoints: self.endpoints.max(other.endpoints),
            origins: self.origins.max(other.origins),
            udp_origins: self.udp_origins.max(other.udp_origins),
            pods: self.pods.max(other.pods),
        }
    }
}
