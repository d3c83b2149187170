//! What programs write into a frozen map and read from it, while another takes its place.

use std::collections::BTreeSet;

use evermesh_pins::{BridgeEnd, Hook};

use super::OLD;
use crate::generation::{Programs, plan::Links};

/// A frozen map, as it was or as a generation brings it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    Old,
    New,
}

/// What may be wrong in a frozen map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// There is a new version.
    pub carried: bool,
    /// Hooks whose entries may be missing in a version.
    missing: BTreeSet<(Version, Hook)>,
    /// Versions in which entries of sockets that are gone may be left.
    stale: BTreeSet<Version>,
    /// Runs that began before their link was switched.
    running: BTreeSet<(Hook, Programs)>,
}

const VERSIONS: [Version; 2] = [Version::Old, Version::New];
const WRITERS: [Hook; 4] = [Hook::SendMsg4, Hook::SendMsg6, Hook::Connect4, Hook::Connect6];

/// Whose entries a hook reads.
fn reads(hook: Hook) -> &'static [Hook] {
    match hook {
        Hook::Connect4 | Hook::Connect6 => &[],
        Hook::GetPeerName4 | Hook::GetPeerName6 | Hook::SendMsg4 | Hook::SendMsg6 => &WRITERS[2..],
        Hook::RecvMsg4 | Hook::RecvMsg6 | Hook::SockRelease => &WRITERS,
    }
}

impl Contents {
    /// A new version is made, and empty.
    pub fn renew(&mut self) {
        self.forget();
        self.carried = true;
        self.missing.extend(WRITERS.map(|hook| (Version::New, hook)));
    }

    /// The new version is gone.
    pub fn forget(&mut self) {
        self.carried = false;
        self.missing.retain(|(version, _)| *version == Version::Old);
        self.stale.remove(&Version::New);
    }

    /// A link was led away from these programs.
    pub fn left(&mut self, hook: Hook, from: Programs) {
        self.running.insert((hook, from));
    }

    pub fn barrier(&mut self) {
        self.running.clear();
    }

    /// What stands in the old version stands in the new one.
    pub fn sweep(&mut self) {
        self.missing.retain(|(version, _)| *version == Version::Old);
    }

    /// Sockets that are gone may have left something in it.
    pub fn is_stale(&self, version: Version) -> bool {
        self.stale.contains(&version)
    }

    /// Has all programs run, those that were left too; then no hook may read what is not whole.
    pub fn run(&mut self, links: &Links) -> Result<(), String> {
        let attached: Vec<(Hook, Programs)> = links.iter().map(|(hook, at)| (*hook, *at)).collect();
        let runs: BTreeSet<_> = self.running.iter().copied().chain(attached.iter().copied()).collect();
        for (hook, programs) in runs.iter().copied().filter(|(hook, _)| WRITERS.contains(hook)) {
            let only = VERSIONS.into_iter().filter(|version| !self.writes(programs, *version));
            self.missing.extend(only.map(|version| (version, hook)).collect::<Vec<_>>());
        }
        let mirrored = runs.into_iter().filter_map(|(_, programs)| Self::mirrors(programs));
        for (from, to) in mirrored.collect::<BTreeSet<_>>() {
            let lost =
                self.missing.iter().filter(|(version, _)| *version == from).map(|(_, hook)| (to, *hook));
            self.missing.extend(lost.collect::<Vec<_>>());
        }
        self.release(links);
        attached.iter().try_for_each(|(hook, at)| self.read(*hook, *at))
    }

    pub fn version_read(&self, programs: Programs) -> Version {
        match programs {
            Programs::Of(generation) if generation != OLD && self.carried => Version::New,
            Programs::Bridge(_, BridgeEnd::Far) => Version::New,
            Programs::Of(_) | Programs::Bridge(_, BridgeEnd::Near) => Version::Old,
        }
    }

    /// From which version to which one a bridge carries what it meets, and what it misses.
    fn mirrors(programs: Programs) -> Option<(Version, Version)> {
        match programs {
            Programs::Of(_) => None,
            Programs::Bridge(_, BridgeEnd::Near) => Some((Version::Old, Version::New)),
            Programs::Bridge(_, BridgeEnd::Far) => Some((Version::New, Version::Old)),
        }
    }

    fn writes(&self, programs: Programs, version: Version) -> bool {
        matches!(programs, Programs::Bridge(..)) || self.version_read(programs) == version
    }

    /// A release hook finds what to delete in the version that it reads, and deletes it in those that it writes.
    fn release(&mut self, links: &Links) {
        let Some(&release) = links.get(&Hook::SockRelease) else { return };
        let found_in = self.version_read(release);
        for version in VERSIONS {
            let mut writers = WRITERS.iter().filter_map(|hook| Some((*hook, *links.get(hook)?)));
            let outlives = |(hook, at): (Hook, Programs)| {
                let deleted = self.writes(release, version) && !self.missing.contains(&(found_in, hook));
                self.writes(at, version) && !deleted
            };
            if writers.any(outlives) {
                self.stale.insert(version);
            }
        }
    }

    fn read(&self, hook: Hook, at: Programs) -> Result<(), String> {
        let version = self.version_read(at);
        match reads(hook).iter().find(|writer| self.missing.contains(&(version, **writer))) {
            Some(writer) => Err(format!("{hook} of {at} misses what {writer} writes")),
            None => Ok(()),
        }
    }
}
