//! What the agent says about itself.

use evermesh_loader::Started;
use evermesh_model::{LastApplied, Policy};
use evermesh_proto::admin::v1 as admin;

use super::{Core, Outcome, Refused, control_plane::control_plane};

impl Core {
    /// For the admin interface.
    pub fn status(&self) -> admin::Status {
        admin::Status {
            release: env!("CARGO_PKG_VERSION").into(),
            pid: self.pid,
            started_unix_ms: self.started_unix_ms,
            source: self.source.clone(),
            configuration: self.applied.as_ref().map(|applied| self.configuration(applied)),
            refused: self.refused.clone().map(admin::Refusal::from),
            data_plane: Some(self.data_plane()),
            unsaved: self.saving.failed.clone(),
            control_plane: self.following.link.as_deref().map(control_plane),
            node: self.node.clone(),
        }
    }

    /// For people, on one line.
    pub fn summary(&self) -> String {
        let Started { generation, how, .. } = &self.started;
        let trial = if self.on_trial { ", on trial" } else { "" };
        format!("generation {generation} ({how}{trial}): {}", self.applied_counts())
    }

    pub(super) fn applied_counts(&self) -> String {
        let Some(applied) = &self.applied else {
            return match self.is_recalling() {
                true => format!("as it was laid, {} endpoints", self.counts.endpoints),
                false => "configuration not known".into(),
            };
        };
        let (services, workloads) = (applied.snapshot.service_count(), applied.snapshot.workload_count());
        format!("{services} services, {workloads} workloads, {} endpoints", self.counts.endpoints)
    }

    fn configuration(&self, applied: &LastApplied) -> admin::Configuration {
        let snapshot = &applied.snapshot;
        admin::Configuration {
            digest: applied.digest.to_vec(),
            applied_unix_ms: applied.applied_unix_ms,
            services: count(snapshot.service_count()),
            workloads: count(snapshot.workload_count()),
            endpoints: count(self.counts.endpoints),
            warnings: applied.warnings.clone(),
            policies: snapshot.policies().map(|policy| shown(policy)).collect(),
        }
    }

    fn data_plane(&self) -> admin::DataPlane {
        let troubles: Vec<_> = self.troubles.values().map(String::as_str).collect();
        admin::DataPlane {
            generation: self.started.generation,
            how: self.started.how.to_string(),
            writes: self.writes,
            drifts: self.drifts,
            drifted_unix_ms: self.drifted_unix_ms,
            error: (!troubles.is_empty()).then(|| troubles.join("\n")),
            notes: self.notes.clone(),
            destroyed: self.destroyed,
        }
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// No policy is enforced by this release.
fn shown(policy: &Policy) -> admin::Policy {
    admin::Policy { name: policy.to_string(), action: policy.action.to_string(), enforced: false }
}

impl From<Refused> for admin::Refusal {
    fn from(Refused { reason, at_unix_ms }: Refused) -> Self {
        Self { reason, at_unix_ms }
    }
}

impl From<Outcome> for admin::ReloadResponse {
    fn from(outcome: Outcome) -> Self {
        use admin::reload_response::Outcome as Told;
        let told = match outcome {
            Outcome::Applied(digest) => Told::Applied(digest.to_vec()),
            Outcome::Unchanged(digest) => Told::Unchanged(digest.to_vec()),
            Outcome::Refused(refused) => Told::Refused(refused.into()),
        };
        Self { outcome: Some(told) }
    }
}
