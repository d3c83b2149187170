//! `evermesh upgrade status`.

use std::{fmt, time::Duration};

use evermesh_handover::{
    Client,
    message::{Candidate, Releases, TrialEnd},
};
use evermesh_upgrader::release::{Digest, LedgerFile, Store};
use serde::Serialize;

use super::UpgradeError;
use crate::{Exit, Failure, args::Directories, output::Output};

const ANSWER: Duration = Duration::from_secs(3);

/// What is known of the releases on this node. Field names stay.
#[derive(Debug, Default, Serialize)]
struct ReleasesView {
    /// The supervisor that answers; none: what is on disk is shown.
    supervisor_pid: Option<u32>,
    /// That of the agent that runs.
    running: Option<String>,
    committed: Option<ReleaseView>,
    previous: Option<ReleaseView>,
    candidate: Option<CandidateView>,
    last: Option<TrialEnd>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ReleaseView {
    release: String,
    /// None: it is not on disk.
    version: Option<String>,
    staged_unix_ms: Option<u64>,
}

#[derive(Debug, Serialize)]
struct CandidateView {
    #[serde(flatten)]
    of: ReleaseView,
    tries_left: u32,
    under_way: bool,
    reason: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    accept_loss: Vec<String>,
}

/// Shows what the supervisor says, or what the disk says where none answers.
pub fn show(directories: &Directories, output: Output) -> Result<Exit, Failure> {
    let store = Store::of(&directories.state_dir);
    let state = Client::connect(&directories.run(), ANSWER).and_then(|mut client| client.state()).ok();
    let view = match state {
        Some(state) => match state.releases {
            Some(said) => ReleasesView { supervisor_pid: Some(state.pid), ..ReleasesView::of(&store, said) },
            None => return Err(UpgradeError::KeepsNone { release: state.release, pid: state.pid }.into()),
        },
        None => on_disk(&store)?,
    };
    output.show(&view)?;
    Ok(Exit::Ok)
}

fn on_disk(store: &Store) -> Result<ReleasesView, UpgradeError> {
    let ledger = LedgerFile::of(store).read()?;
    Ok(ledger.map_or_else(ReleasesView::default, |ledger| ReleasesView::of(store, Releases::from(&ledger))))
}

impl ReleasesView {
    fn of(store: &Store, said: Releases) -> Self {
        Self {
            supervisor_pid: None,
            running: said.running,
            committed: Some(ReleaseView::of(store, said.committed)),
            previous: said.previous.map(|it| ReleaseView::of(store, it)),
            candidate: said.candidate.map(|it| CandidateView::of(store, it)),
            last: said.last,
            notes: said.notes,
        }
    }
}

impl ReleaseView {
    fn of(store: &Store, release: String) -> Self {
        let said = release.parse::<Digest>().ok().and_then(|digest| store.described(&digest).ok());
        let version = said.as_ref().map(|said| said.version().to_owned());
        Self { release, version, staged_unix_ms: said.map(|said| said.staged_unix_ms) }
    }
}

impl CandidateView {
    fn of(store: &Store, said: Candidate) -> Self {
        let Candidate { release, tries_left, under_way, reason, accept_loss, .. } = said;
        Self { of: ReleaseView::of(store, release), tries_left, under_way, reason, accept_loss }
    }
}

impl fmt::Display for ReleaseView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.version.as_deref().unwrap_or("not on disk");
        write!(f, "{} ({version})", self.release.get(..16).unwrap_or(&self.release))
    }
}

impl fmt::Display for ReleasesView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(committed) = &self.committed else {
            return writeln!(f, "No release was ever committed here: `evermesh run` does that.");
        };
        let none = "none".to_owned();
        let running = self.running.as_ref().map(|it| it.get(..16).unwrap_or(it).to_owned());
        writeln!(f, "running    {}", running.unwrap_or(none.clone()))?;
        writeln!(f, "committed  {committed}")?;
        writeln!(f, "previous   {}", self.previous.as_ref().map_or(none.clone(), ToString::to_string))?;
        writeln!(f, "candidate  {}", self.candidate.as_ref().map_or(none, CandidateView::words))?;
        if let Some(last) = &self.last {
            let release = last.release.get(..16).unwrap_or(&last.release);
            let reason = last.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            let outcome = if last.committed { "committed" } else { "not committed" };
            writeln!(f, "last trial {release} {outcome}{reason}")?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "note       {note}"))
    }
}

impl CandidateView {
    fn words(&self) -> String {
        let how = if self.under_way { "it runs and must prove itself" } else { "it waits" };
        let failed =
            self.reason.as_ref().map(|reason| format!(", failed before: {reason}")).unwrap_or_default();
        let lost = self.accept_loss.join(",");
        let lost = if lost.is_empty() { lost } else { format!(", with --accept-loss {lost}") };
        format!("{}, {how}, {} more tries{lost}{failed}", self.of, self.tries_left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(name: &str) -> ReleaseView {
        let version = Some(format!("evermesh-agent {name}"));
        ReleaseView { release: name.repeat(64), version, staged_unix_ms: Some(1) }
    }

    #[test]
    fn releases_are_shown_in_lines() {
        let candidate = CandidateView {
            of: release("c"),
            tries_left: 2,
            under_way: true,
            reason: Some("the agent ended before it was ready (exit status: 1)".into()),
            accept_loss: vec!["origins".into(), "udp_origins".into()],
        };
        let last = TrialEnd {
            trial: 1,
            release: "d".repeat(64),
            committed: false,
            reason: Some("the agent hung after it was ready, within the gate".into()),
            unix_ms: 5,
        };
        let view = ReleasesView {
            supervisor_pid: Some(1),
            running: Some("c".repeat(64)),
            committed: Some(release("a")),
            previous: Some(ReleaseView { version: None, ..release("b") }),
            candidate: Some(candidate),
            last: Some(last),
            notes: vec!["the ledger was damaged".into()],
        };
        insta::assert_snapshot!(view);
        insta::assert_snapshot!("nothing", ReleasesView::default());
    }
}
