use std::{io, net::SocketAddr, time::Duration};

use super::Seen;

/// What the imitation could not do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The port could not be reserved or listened at.
    #[error("cannot {action} {address}: {source}")]
    Listen {
        /// What was tried, as a verb.
        action: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// Its thread or runtime could not be started.
    #[error("cannot start the {what} of the control plane: {source}")]
    Start {
        /// Thread or runtime.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate for {names:?}: {source}")]
    Certificate {
        /// Whom it was for.
        names: Vec<String>,
        /// Why not.
        source: rcgen::Error,
    },
    /// The certificate is not one that can be served.
    #[error("cannot serve the certificate: {source}")]
    Tls {
        /// Why not.
        source: tonic::transport::Error,
    },
    /// It was to be started while it runs.
    #[error("the control plane at {address} runs already: stop it first")]
    Running {
        /// Where.
        address: SocketAddr,
    },
    /// Clients did not do in time what was awaited.
    #[error("waited {patience:?} in vain for {what}; what was seen: {seen:#?}")]
    Awaited {
        /// The condition.
        what: String,
        /// How long it was awaited.
        patience: Duration,
        /// What clients did instead.
        seen: Box<Seen>,
    },
}
