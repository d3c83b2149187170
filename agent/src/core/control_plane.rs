//! Configuration that a control plane offers.

use std::sync::Arc;

use evermesh_model::{LastApplied, Snapshot};
use evermesh_proto::admin::v1 as admin;
use evermesh_xds_cache::client::{Link, Phase};

use super::{Action, Core, Ticket};

/// Where configuration comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// Files are read.
    Files,
    /// A control plane offers it.
    ControlPlane,
}

/// A mesh that a control plane offers.
#[derive(Debug)]
pub struct Offered {
    pub snapshot: Snapshot,
    pub digest: [u8; 32],
    pub warnings: Vec<String>,
}

impl Offered {
    pub(super) fn candidate(self, source: &str, now_unix_ms: u64) -> LastApplied {
        let Self { snapshot, digest, warnings } = self;
        LastApplied { source: source.into(), digest, applied_unix_ms: now_unix_ms, warnings, snapshot }
    }
}

/// What is known of the control plane.
#[derive(Debug, Default)]
pub(super) struct Following {
    pub link: Option<Box<Link>>,
    /// Came while something else was being applied.
    pub next: Option<(Arc<LastApplied>, Ticket)>,
    /// Could not be applied; it is tried again from time to time, since the control plane will not say it again.
    pub refused: Option<Arc<LastApplied>>,
}

impl Core {
    pub(super) fn linked(&mut self, link: Link) -> Vec<Action> {
        self.following.link = Some(Box::new(link));
        Vec::new()
    }
}

pub(super) fn control_plane(link: &Link) -> admin::ControlPlane {
    let phase = match link.phase {
        Phase::Connecting => admin::control_plane::Phase::Connecting,
        Phase::Lost => admin::control_plane::Phase::Lost,
        Phase::Connected => admin::control_plane::Phase::Connected,
    };
    admin::ControlPlane {
        address: link.address.clone(),
        phase: phase.into(),
        since_unix_ms: link.since_unix_ms,
        synced_unix_ms: link.synced_unix_ms,
        reason: link.reason.clone(),
        acks: link.acks,
        nacks: link.nacks,
        last_nack: link.last_nack.clone(),
        refused: link.refused.clone(),
        unkept: link.unkept.clone(),
        unresolved: link.unresolved.clone(),
    }
}
