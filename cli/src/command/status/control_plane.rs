//! The control plane, as far as the agent tells or told last.

use std::fmt;

use evermesh_proto::admin::v1::{ControlPlane, control_plane::Phase};
use serde::Serialize;

use super::{age, facts::Facts, text::line};
use crate::process::Life;

/// What is known of the control plane.
#[derive(Debug, Serialize)]
pub struct ControlPlaneView {
    pub address: String,
    /// `connecting`, `lost` or `connected`, as the agent says, or said last.
    pub phase: &'static str,
    pub since_unix_ms: u64,
    pub since_age_ms: u64,
    /// When what is known was last known to be what it says; null: never.
    pub synced_unix_ms: Option<u64>,
    pub synced_age_ms: Option<u64>,
    /// Whether an agent listens to it now: what is known is what it says.
    pub current: bool,
    /// Why there is no stream.
    pub reason: Option<String>,
    pub acks: u64,
    pub nacks: u64,
    pub last_nack: Option<String>,
    pub refused: Vec<RefusedResourceView>,
    pub unkept: Option<String>,
    pub unresolved: Vec<String>,
    /// What a user should know though nothing needs attention for it.
    pub warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct RefusedResourceView {
    pub kind: String,
    pub name: String,
    pub reason: String,
}

/// Hostnames that are named; the rest is counted.
const NAMED: usize = 3;

impl ControlPlaneView {
    /// None where configuration comes from files.
    pub fn of(facts: &Facts) -> Option<Self> {
        let told = facts.agent.word.as_ref()?.control_plane.as_ref()?;
        let since = |moment: u64| facts.now_unix_ms.saturating_sub(moment);
        let is_connected = told.phase() == Phase::Connected;
        let refused = told.refused.iter().map(|resource| RefusedResourceView {
            kind: resource.kind.clone(),
            name: resource.name.clone(),
            reason: resource.reason.clone(),
        });
        Some(Self {
            address: told.address.clone(),
            phase: match told.phase() {
                Phase::Connecting => "connecting",
                Phase::Lost => "lost",
                Phase::Connected => "connected",
            },
            since_unix_ms: told.since_unix_ms,
            since_age_ms: since(told.since_unix_ms),
            synced_unix_ms: told.synced_unix_ms,
            synced_age_ms: told.synced_unix_ms.map(since),
            current: is_current(facts, told),
            reason: told.reason.clone().filter(|_| !is_connected),
            acks: told.acks,
            nacks: told.nacks,
            last_nack: told.last_nack.clone(),
            refused: refused.collect(),
            unkept: told.unkept.clone(),
            unresolved: told.unresolved.clone(),
            warnings: warnings(facts, told),
        })
    }
}

fn is_current(facts: &Facts, told: &ControlPlane) -> bool {
    facts.agent.life == Life::Running && told.phase() == Phase::Connected && told.synced_unix_ms.is_some()
}

/// What the mesh works without.
fn warnings(facts: &Facts, told: &ControlPlane) -> Vec<String> {
    let age = told.synced_unix_ms.map(|synced| age::text(facts.now_unix_ms.saturating_sub(synced)));
    let stale = age.filter(|_| !is_current(facts, told)).map(|age| {
        format!(
            "what is known is {age} old: endpoints that came or went since, and policies that changed, are not known here"
        )
    });
    let unresolved = (!told.unresolved.is_empty()).then(|| {
        let names: Vec<_> = told.unresolved.iter().take(NAMED).map(String::as_str).collect();
        let more = if told.unresolved.len() > NAMED { ", ..." } else { "" };
        format!("hostnames that lead nowhere: {}{more} ({})", names.join(", "), told.unresolved.len())
    });
    stale.into_iter().chain(unresolved).collect()
}

/// What needs attention.
pub fn problems(facts: &Facts) -> Vec<String> {
    let Some(told) = facts.agent.word.as_ref().and_then(|word| word.control_plane.as_ref()) else {
        return Vec::new();
    };
    let never = told.synced_unix_ms.is_none().then(|| {
        format!(
            "the control plane {} has never said the whole mesh: what stood before goes on; see that it is reached",
            told.address
        )
    });
    let refused = (!told.refused.is_empty()).then(|| {
        format!(
            "what the control plane says is not understood in part ({}): what was known under these names stays",
            told.refused.len()
        )
    });
    let unkept = told.unkept.as_ref().map(|reason| {
        format!("what the control plane says is not on disk, an agent that starts without it would know less: {reason}")
    });
    never.into_iter().chain(refused).chain(unkept).collect()
}

/// The section of the screen.
pub fn section(f: &mut fmt::Formatter<'_>, view: &ControlPlaneView, followed: bool) -> fmt::Result {
    line(f, "control plane", &format!("{}, {}", view.address, phase(view, followed)))?;
    if view.current {
        let but = if view.refused.is_empty() { "" } else { ", but for what is not understood" };
        line(f, "", &format!("what is known is as the control plane says it{but}"))?;
    }
    line(f, "", &format!("{} responses obeyed, {} refused", view.acks, view.nacks))?;
    if let Some(reason) = &view.last_nack {
        line(f, "", &format!("refused last: {reason}"))?;
    }
    for refused in &view.refused {
        line(f, "", &format!("not understood: {} {}: {}", refused.kind, refused.name, refused.reason))?;
    }
    view.warnings.iter().try_for_each(|warning| line(f, "", &format!("warning: {warning}")))
}

/// When an agent stopped to listen is not known.
fn phase(view: &ControlPlaneView, followed: bool) -> String {
    let since = age::text(view.since_age_ms);
    let because = view.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    match (followed, view.phase) {
        (true, "connected") => format!("connected for {since}"),
        (true, "connecting") => format!("connecting for {since}"),
        (true, _) => format!("not reached for {since}{because}"),
        (false, "connected") => "no agent that answers follows it".to_owned(),
        (false, _) => format!("no agent that answers follows it, and the last one did not reach it{because}"),
    }
}
