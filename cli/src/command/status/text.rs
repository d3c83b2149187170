use std::fmt;

use evermesh_handover::message::Releases;

use super::{
    age, control_plane,
    view::{AgentView, ConfigurationView, DataPathView, Health, StatusView, SupervisorView},
};
use crate::process::Life;

/// Pods that are named; the rest is counted.
const PODS_NAMED: usize = 6;
/// Width of the first column.
const LABEL: usize = 15;

impl fmt::Display for StatusView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", headline(self.health))?;
        for problem in &self.problems {
            writeln!(f, "  ! {problem}")?;
        }
        if self.health == Health::Absent {
            return writeln!(f, "Nothing is pinned and nothing runs: `evermesh run` starts it.");
        }
        writeln!(f)?;
        line(f, "supervisor", &supervisor(&self.supervisor))?;
        line(f, "agent", &agent(&self.agent))?;
        line(f, "restarts", &restarts(&self.supervisor))?;
        if let Some(kept) = &self.releases {
            line(f, "releases", &releases(kept))?;
        }
        line(f, "data path", &data_path(&self.data_path))?;
        line(f, "drift", &drift(&self.data_path))?;
        match &self.configuration {
            Some(known) => configuration(f, known)?,
            None => line(f, "configuration", "none known")?,
        }
        if let Some(refused) = &self.refused {
            line(f, "refused", &format!("{} ago", age::text(refused.age_ms)))?;
            refused.reason.lines().try_for_each(|reason| line(f, "", reason))?;
        }
        if let Some(view) = &self.control_plane {
            control_plane::section(f, view, self.agent.state == Life::Running.as_str())?;
        }
        line(f, "pods", &pods(self))?;
        for outside in self.pods_outside.iter().take(PODS_NAMED) {
            line(f, "", &outside.to_string())?;
        }
        line(f, "counters", &counters(self))
    }
}

/// A line of the screen; without a label it belongs to the one above.
pub fn line(f: &mut fmt::Formatter<'_>, label: &str, text: &str) -> fmt::Result {
    writeln!(f, "{}", format!("{label:LABEL$}{text}").trim_end())
}

fn headline(health: Health) -> &'static str {
    match health {
        Health::Healthy => "Evermesh is healthy",
        Health::Degraded => "Evermesh needs attention",
        Health::Absent => "Evermesh is not on this node",
    }
}

fn state(word: &str) -> String {
    if word == Life::Absent.as_str() { "not running".into() } else { word.into() }
}

fn supervisor(view: &SupervisorView) -> String {
    let pid = view.pid.map(|pid| format!("pid {pid}"));
    let release = view.release.as_ref().map(|release| format!("release {release}"));
    let uptime = view.uptime_ms.map(|uptime| format!("for {}", age::text(uptime)));
    let phase = view.phase.as_ref().map(|phase| format!("agent {phase}"));
    joined([Some(state(view.state)), uptime, pid, release, phase])
}

fn agent(view: &AgentView) -> String {
    let pid = view.pid.map(|pid| format!("pid {pid}"));
    let heartbeat = view.heartbeat_age_ms.map(|ms| format!("last heartbeat {} ago", age::text(ms)));
    let notes = view.notes.iter().cloned().map(Some);
    joined([Some(state(view.state)), pid, heartbeat].into_iter().chain(notes))
}

fn restarts(view: &SupervisorView) -> String {
    let counted = view.restarts.iter().filter(|(_, times)| **times > 0);
    let counted: Vec<_> = counted.map(|(cause, times)| format!("{cause} {times}")).collect();
    let last = view.last_exit.as_ref().map(|exit| format!("last exit: {exit}"));
    match counted.is_empty() {
        true => joined([Some("none".into()), last]),
        false => joined(counted.into_iter().map(Some).chain([last])),
    }
}

fn releases(kept: &Releases) -> String {
    let short = |digest: &String| digest.get(..16).unwrap_or(digest).to_owned();
    let previous = kept.previous.as_ref().map(|previous| format!("{} before", short(previous)));
    let candidate = kept.candidate.as_ref().map(|it| {
        let failed =
            it.reason.as_ref().map(|reason| format!(", failed before: {reason}")).unwrap_or_default();
        format!("{} is tried ({} more tries{failed})", short(&it.release), it.tries_left)
    });
    let last = kept.last.as_ref().filter(|last| !last.committed && kept.candidate.is_none());
    let held = last.map(|last| {
        let reason = last.reason.as_deref().unwrap_or("no reason is known");
        format!("{} is held: {reason}", short(&last.release))
    });
    joined([Some(format!("{} committed", short(&kept.committed))), previous, candidate, held])
}

fn data_path(view: &DataPathView) -> String {
    let Some(generation) = view.generation else { return "nothing is live".into() };
    let generation = match &view.how {
        Some(how) => format!("generation {generation} ({how})"),
        None => format!("generation {generation}"),
    };
    let cgroup = view.cgroup.as_ref().map(|cgroup| format!(" at {}", cgroup.display())).unwrap_or_default();
    let hooks = format!("{} of {} hooks{cgroup}", view.hooks_attached, view.hooks);
    let lease = view.lease_ms.map(|lease| format!("lease {}", age::text(lease)));
    joined([Some(generation), Some(hooks), lease])
}

fn drift(view: &DataPathView) -> String {
    match (view.drifts, view.writes) {
        (Some(0), Some(writes)) => format!("none since the agent started, {writes} writes"),
        (Some(drifts), Some(writes)) => format!("put right {drifts} times, {writes} writes"),
        _ => "not known".into(),
    }
}

fn configuration(f: &mut fmt::Formatter<'_>, view: &ConfigurationView) -> fmt::Result {
    let digest = view.digest.get(..12).unwrap_or(&view.digest);
    let applied = format!("applied {} ago", age::text(view.age_ms));
    line(f, "configuration", &format!("{}, {applied}, digest {digest}", view.source))?;
    let endpoints = view.endpoints.map(|endpoints| format!("{endpoints} endpoints"));
    let (services, workloads) = (view.services, view.workloads);
    let counts = [Some(format!("{services} services")), Some(format!("{workloads} workloads")), endpoints];
    line(f, "", &joined(counts))?;
    for warning in &view.warnings {
        line(f, "", &format!("warning: {warning}"))?;
    }
    if !view.policies_not_enforced.is_empty() {
        line(f, "policies", &format!("NOT ENFORCED: {}", view.policies_not_enforced.join(", ")))?;
    }
    Ok(())
}

fn pods(view: &StatusView) -> String {
    let named: Vec<_> = view.pods.iter().take(PODS_NAMED).map(|pod| pod.name.as_str()).collect();
    match view.pods.len() {
        0 => "none enrolled".into(),
        all if all > named.len() => {
            format!("{all} enrolled: {} and {} more", named.join(", "), all - named.len())
        }
        all => format!("{all} enrolled: {}", named.join(", ")),
    }
}

fn counters(view: &StatusView) -> String {
    let shown = |(name, value): &(String, u64)| Some(format!("{} {value}", name.replace('_', " ")));
    match view.counters.as_slice() {
        [] => "none".into(),
        counters => joined(counters.iter().map(shown)),
    }
}

fn joined(parts: impl IntoIterator<Item = Option<String>>) -> String {
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
