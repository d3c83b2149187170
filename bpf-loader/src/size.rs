use evermesh_pins::{Table, TableEntries};
use serde::{Deserialize, Serialize};

/// How large the tables of a generation are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSizes {
    /// Service ports, counted once for each address family that has a virtual IP.
    pub services: u32,
    /// Memberships of workloads in service ports.
    pub endpoints: u32,
}

impl Default for TableSizes {
    /// About 10 MB of kernel memory, beside the frozen maps.
    fn default() -> Self {
        Self { services: 16_384, endpoints: 131_072 }
    }
}

impl TableSizes {
    /// Elements of a table. Id 0 is never used in `services` and `endpoints`. A service port takes a
    /// frontend for each virtual IP and protocol, and a virtual IP one more; slot ranges are powers of two, and a
    /// range is copied when a set changes, hence twice and once more.
    pub fn entries(&self, table: Table) -> u32 {
        match table {
            Table::Frontends => self.services.saturating_mul(4),
            Table::Services | Table::ServiceMeta | Table::Turns => self.services.saturating_add(1),
            Table::Endpoints => self.endpoints.saturating_add(1),
            Table::Slots => self.endpoints.saturating_mul(3),
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

    /// The larger of both, field by field.
    pub fn max(self, other: Self) -> Self {
        Self { services: self.services.max(other.services), endpoints: self.endpoints.max(other.endpoints) }
    }
}
