use std::{io, path::PathBuf};

use evermesh_pins::{EnrolmentError, InventoryError, Table, ViewError};

/// Why not every socket was looked at, or not every one destroyed whose endpoint is gone. The others were.
#[derive(Debug, thiserror::Error)]
pub enum SocketsError {
    /// The pins could not be read.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// A table could not be read.
    #[error("cannot read the table `{table}`: {source}")]
    Table {
        /// Which.
        table: Table,
        /// Why.
        source: io::Error,
    },
    /// The virtual IPs of a generation could not be listed.
    #[error(transparent)]
    Frontends(#[from] ViewError),
    /// The pods could not be listed.
    #[error(transparent)]
    Enrolment(#[from] EnrolmentError),
    /// The network namespaces of this host could not be listed.
    #[error("cannot look for network namespaces in /proc: {0}")]
    Namespaces(#[source] io::Error),
    /// Nobody could look into a network namespace.
    #[error("cannot enter the network namespace {}: {source}", path.display())]
    Enter {
        /// Where it was found.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The sockets of a pod could not be listed, or one of them not be destroyed.
    #[error("cannot {step} in the network namespace {}: {source}", path.display())]
    Sockets {
        /// What was tried.
        step: &'static str,
        /// Where it was found.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The kernel was built without `CONFIG_INET_DIAG`, `CONFIG_INET_TCP_DIAG` or `CONFIG_INET_UDP_DIAG`, or a module of them
    /// cannot be loaded.
    #[error(
        "this kernel does not tell of sockets: it has no CONFIG_INET_TCP_DIAG or no CONFIG_INET_UDP_DIAG (modules inet_diag, tcp_diag, udp_diag); load the modules, or boot a kernel built with these options"
    )]
    Untold,
    /// The kernel was built without `CONFIG_INET_UDP_DIAG` or `CONFIG_INET_DIAG_DESTROY`, or a module of them cannot be
    /// loaded.
    #[error(
        "this kernel has no CONFIG_INET_DIAG_DESTROY or no CONFIG_INET_UDP_DIAG (modules inet_diag, udp_diag): connected UDP sockets whose endpoint is gone send into the void until the application connects again; load the modules, or boot a kernel built with these options"
    )]
    Unsupported,
}
