use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::PathBuf,
    process,
};

use evermesh_handover::replace::{replace_durably, sync_parent};

use super::{
    AGENT, Digest, Layouts, Program, Release, ReleaseError, Source, Stamps, Store, StoreLock,
    error::failed,
    probe,
    space::room,
    store::{DESCRIPTION, STAGING},
    unix_ms,
};

/// What became of staging.
#[derive(Clone, Debug)]
pub struct Staged {
    /// What is on disk.
    pub release: Release,
    /// It was there already, and is right.
    pub was_there: bool,
}

/// Stages a release. The caller keeps others from doing so.
pub fn stage(
    store: &Store,
    held: &StoreLock,
    source: &Source,
    stamps: &mut Stamps,
) -> Result<Staged, ReleaseError> {
    if let Ok(release) = store.verify(&source.digest, stamps) {
        return Ok(Staged { release, was_there: true });
    }
    let mut staging = Staging::begin(store, held, source)?;
    let dir = staging.dir.clone();
    loop {
        match staging.step() {
            Ok(None) => {}
            Ok(Some(release)) => {
                for (name, _, digest) in &source.programs {
                    let path = store.place(&source.digest).join(name);
                    stamps.learn(&path, *digest).map_err(failed("look at", path))?;
                }
                return Ok(Staged { release, was_there: false });
            }
            Err(error) => {
                // What cannot be removed now, the next sweep removes.
                let _left = fs::remove_dir_all(&dir);
                return Err(error);
            }
        }
    }
}

/// A release on its way to the disk, one step after the other. Whoever stops in between leaves a directory that
/// nobody takes for a release.
#[derive(Debug)]
pub struct Staging<'a> {
    store: &'a Store,
    source: &'a Source,
    dir: PathBuf,
    next: Next,
    versions: BTreeMap<String, String>,
    layouts: Option<Layouts>,
    begun_unix_ms: u64,
}

#[derive(Clone, Copy, Debug)]
enum Next {
    Directory,
    Copy(usize),
    Probe(usize),
    Layouts,
    Describe,
    Publish,
}

impl<'a> Staging<'a> {
    /// Asks for room. Nothing is written yet, but what stands in the place of the release and is damaged is removed, unless it is the
    /// source itself: that goes when it was copied.
    pub fn begin(store: &'a Store, _held: &StoreLock, source: &'a Source) -> Result<Self, ReleaseError> {
        let place = store.place(&source.digest);
        if fs::canonicalize(&place).ok().as_ref() != Some(&source.dir) {
            Store::remove(&place)?;
        }
        let room = room(store.dir(), source.size())?;
        if room.free < room.needed {
            let (release, path) = (source.digest.short(), store.dir().into());
            return Err(ReleaseError::NoRoom { release, path, needed: room.needed, free: room.free });
        }
        let dir = store.dir().join(format!("{STAGING}{}", process::id()));
        Ok(Self {
            store,
            source,
            dir,
            next: Next::Directory,
            versions: BTreeMap::new(),
            layouts: None,
            begun_unix_ms: unix_ms(),
        })
    }

    /// Takes one step; the release after the last one.
    pub fn step(&mut self) -> Result<Option<Release>, ReleaseError> {
        let last = self.source.programs.len() - 1;
        self.next = match self.next {
            Next::Directory => {
                Store::remove(&self.dir)?;
                let made = DirBuilder::new().mode(0o700).create(&self.dir);
                made.map_err(failed("make", &self.dir))?;
                Next::Copy(0)
            }
            Next::Copy(which) => {
                self.copy(which)?;
                if which < last { Next::Copy(which + 1) } else { Next::Probe(0) }
            }
            Next::Probe(which) => {
                let name = self.source.programs[which].0;
                self.versions.insert(name.into(), probe::version(name, &self.dir.join(name))?);
                if which < last { Next::Probe(which + 1) } else { Next::Layouts }
            }
            Next::Layouts => {
                self.layouts = Layouts::ask(&self.dir.join(AGENT));
                Next::Describe
            }
            Next::Describe => {
                let path = self.dir.join(DESCRIPTION);
                let written = serde_json::to_vec_pretty(&self.release()).map_err(io::Error::from);
                written.and_then(|it| replace_durably(&path, &it)).map_err(failed("write", path))?;
                Next::Publish
            }
            Next::Publish => {
                let place = self.store.place(&self.source.digest);
                Store::remove(&place)?;
                let renamed = fs::rename(&self.dir, &place).and_then(|()| sync_parent(&place));
                renamed.map_err(failed("name", &place))?;
                return Ok(Some(self.release()));
            }
        };
        Ok(None)
    }

    /// Compared on the way: somebody may write to the source meanwhile.
    fn copy(&self, which: usize) -> Result<(), ReleaseError> {
        let (name, _, expected) = self.source.programs[which];
        let (from, to) = (self.source.dir.join(name), self.dir.join(name));
        let source = File::open(&from).map_err(failed("read", &from))?;
        let target = OpenOptions::new().write(true).create_new(true).mode(0o755).open(&to);
        let target = target.map_err(failed("write", &to))?;
        let found = Digest::copying(&source, &target).map_err(failed("copy", &from))?;
        target.sync_all().map_err(failed("write", &to))?;
        if found == expected {
            return Ok(());
        }
        let remedy = "it changed while it was staged; try again when nobody writes to it";
        Err(ReleaseError::Differs { path: from, expected, found, remedy })
    }

    fn release(&self) -> Release {
        let program = |&(name, size, digest): &(&str, u64, Digest)| {
            let version = self.versions.get(name).cloned().unwrap_or_default();
            (name.to_owned(), Program { size, digest, version })
        };
        let programs = self.source.programs.iter().map(program).collect();
        let (digest, layouts) = (self.source.digest, self.layouts.clone());
        Release { digest, programs, staged_unix_ms: self.begun_unix_ms, layouts }
    }
}
