//! From facts to what is shown.

use evermesh_handover::message::State;
use evermesh_model::LastApplied;
use evermesh_proto::admin::v1::{Configuration, Status};

use super::{
    control_plane::ControlPlaneView,
    data_path::HOOKS,
    facts::Facts,
    problems,
    view::{AgentView, ConfigurationView, DataPathView, Health, RefusedView, StatusView, SupervisorView},
};
use crate::process::{Heard, Life};

impl StatusView {
    /// Puts the facts together and judges them.
    pub fn of(facts: &Facts) -> Self {
        let problems = problems::of(facts);
        Self {
            health: health(facts, &problems),
            problems,
            supervisor: SupervisorView::of(&facts.supervisor, facts.now_unix_ms),
            agent: AgentView::of(facts),
            releases: facts.supervisor.word.as_ref().and_then(|word| word.releases.clone()),
            data_path: DataPathView::of(facts),
            configuration: ConfigurationView::of(facts),
            refused: RefusedView::of(facts),
            control_plane: ControlPlaneView::of(facts),
            pods: facts.data_path.pods.clone(),
            pods_outside: facts.data_path.pods_outside.iter().map(Into::into).collect(),
            counters: counters(facts),
        }
    }
}

/// What the kernel has counted, and the agent.
fn counters(facts: &Facts) -> Vec<(String, u64)> {
    let told = facts.agent.word.as_ref().and_then(|word| word.data_plane.as_ref());
    let destroyed = told.map(|it| ("destroyed".to_owned(), it.destroyed));
    facts.data_path.counters.iter().cloned().chain(destroyed).collect()
}

fn health(facts: &Facts, problems: &[String]) -> Health {
    let nobody = facts.supervisor.life == Life::Absent && facts.agent.life == Life::Absent;
    match problems {
        [] if nobody && !facts.data_path.stands => Health::Absent,
        [] => Health::Healthy,
        _ => Health::Degraded,
    }
}

impl SupervisorView {
    fn of(heard: &Heard<State>, now_unix_ms: u64) -> Self {
        let word = heard.word.as_ref();
        let alive = heard.life == Life::Running;
        Self {
            state: heard.life.as_str(),
            pid: word.map(|word| word.pid),
            release: word.map(|word| word.release.clone()),
            started_unix_ms: word.map(|word| word.started_unix_ms),
            uptime_ms: word.filter(|_| alive).map(|word| now_unix_ms.saturating_sub(word.started_unix_ms)),
            phase: word.filter(|_| alive).map(|word| word.phase.to_string()),
            restarts: word.map(|word| word.restarts.clone()).unwrap_or_default(),
            last_exit: word.and_then(|word| word.last_exit.clone()),
        }
    }
}

impl AgentView {
    fn of(facts: &Facts) -> Self {
        let word = facts.agent.word.as_ref();
        let data_plane = word.and_then(|word| word.data_plane.as_ref());
        Self {
            state: facts.agent.life.as_str(),
            pid: word.map(|word| word.pid),
            release: word.map(|word| word.release.clone()),
            started_unix_ms: word.map(|word| word.started_unix_ms),
            heartbeat_age_ms: facts.data_path.heartbeat_age_ms,
            node: word.map(|word| word.node.clone()).filter(|node| !node.is_empty()),
            notes: data_plane.map(|it| it.notes.clone()).unwrap_or_default(),
        }
    }
}

impl DataPathView {
    fn of(facts: &Facts) -> Self {
        let seen = &facts.data_path;
        let told = facts.agent.word.as_ref().and_then(|word| word.data_plane.as_ref());
        Self {
            generation: seen.generation,
            how: told.map(|it| it.how.clone()),
            hooks_attached: seen.hooks,
            hooks: HOOKS,
            cgroup: seen.cgroup.clone(),
            phase: seen.phase,
            lease_ms: seen.lease_ms,
            writes: told.map(|it| it.writes),
            drifts: told.map(|it| it.drifts),
            drifted_unix_ms: told.and_then(|it| it.drifted_unix_ms),
            findings: seen.findings.clone(),
        }
    }
}

impl ConfigurationView {
    fn of(facts: &Facts) -> Option<Self> {
        let word = facts.agent.word.as_ref();
        match word.and_then(|word| Some((word, word.configuration.as_ref()?))) {
            Some((word, configuration)) => Some(Self::told(word, configuration, facts.now_unix_ms)),
            None => Some(Self::recorded(facts.record.as_ref().ok()?.as_ref()?, facts.now_unix_ms)),
        }
    }

    fn told(word: &Status, configuration: &Configuration, now_unix_ms: u64) -> Self {
        let unenforced = configuration.policies.iter().filter(|policy| !policy.enforced);
        Self {
            source: word.source.clone(),
            digest: hex(&configuration.digest),
            applied_unix_ms: configuration.applied_unix_ms,
            age_ms: now_unix_ms.saturating_sub(configuration.applied_unix_ms),
            services: configuration.services,
            workloads: configuration.workloads,
            endpoints: Some(configuration.endpoints),
            policies_not_enforced: unenforced.map(|policy| policy.name.clone()).collect(),
            warnings: configuration.warnings.clone(),
        }
    }

    fn recorded(record: &LastApplied, now_unix_ms: u64) -> Self {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            source: record.source.clone(),
            digest: hex(&record.digest),
            applied_unix_ms: record.applied_unix_ms,
            age_ms: now_unix_ms.saturating_sub(record.applied_unix_ms),
            services: count(record.snapshot.services().count()),
            workloads: count(record.snapshot.workloads().count()),
            endpoints: None,
            policies_not_enforced: record.snapshot.policies().map(ToString::to_string).collect(),
            warnings: record.warnings.clone(),
        }
    }
}

impl RefusedView {
    fn of(facts: &Facts) -> Option<Self> {
        let refusal = facts.agent.word.as_ref()?.refused.as_ref()?;
        let age_ms = facts.now_unix_ms.saturating_sub(refusal.at_unix_ms);
        Some(Self { reason: refusal.reason.clone(), at_unix_ms: refusal.at_unix_ms, age_ms })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
