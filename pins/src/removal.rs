use std::{
    fs, io,
    os::fd::AsFd,
    path::{Path, PathBuf},
};

use crate::{
    PinDir,
    sys::{self, Object},
};

/// What was removed, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Pins, symbolic links and directories.
    pub paths: Vec<PathBuf>,
    /// What stands in the directory and is not ours: left alone.
    pub foreign: Vec<PathBuf>,
}

/// Why something was not removed. What was removed before stays removed; doing it again goes on.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step} {}: {source}; what was removed stays removed, run it again to go on", path.display())]
pub struct RemovalError {
    /// What was tried.
    pub step: &'static str,
    /// On what.
    pub path: PathBuf,
    /// Why it failed.
    pub source: io::Error,
}

/// Removes everything that any release of Evermesh pinned: links first, so that no program runs on tables
/// that are going. Interrupted, it can be run again.
pub fn remove_all(pins: &PinDir) -> Result<Removed, RemovalError> {
    let mut removed = Removed::default();
    detach_all(pins)?;
    remove_tree(&pins.links(), &mut removed)?;
    for generation in list(&pins.generations())? {
        remove_manifest_first(&generation, &mut removed)?;
    }
    for directory in [pins.generations(), pins.frozen()] {
        remove_tree(&directory, &mut removed)?;
    }
    for link in [pins.live(), pins.live_aside()] {
        if link.is_symlink() {
            fs::remove_file(&link).map_err(failed("remove", &link))?;
            removed.paths.push(link);
        }
    }
    remove_root(pins, &mut removed)?;
    Ok(removed)
}

/// Removes one generation, its manifest first, so that what is left of an interrupted removal counts as unfinished.
pub fn remove_generation(pins: &PinDir, number: u32) -> Result<(), RemovalError> {
    remove_manifest_first(&pins.generation(number), &mut Removed::default())
}

fn remove_manifest_first(generation: &Path, removed: &mut Removed) -> Result<(), RemovalError> {
    remove_tree(&generation.join(PinDir::MANIFEST), removed)?;
    remove_tree(generation, removed)
}

/// Removes the programs that led to a generation, which hook nothing.
pub fn remove_bridge(pins: &PinDir, generation: u32) -> Result<(), RemovalError> {
    remove_tree(&pins.bridge(generation), &mut Removed::default())
}

fn detach_all(pins: &PinDir) -> Result<(), RemovalError> {
    for path in list(&pins.links())?.into_iter().filter(|path| is_pin(path)) {
        if let Object::Link(link) = sys::object_get(&path).map_err(failed("open", &path))? {
            match sys::link_detach(link.as_fd()) {
                // The cgroup is gone, and the link with it.
                Err(e) if e.raw_os_error() == Some(libc::ENOLINK) => {}
                result => result.map_err(failed("detach", &path))?,
            }
        }
    }
    Ok(())
}

/// Neither a directory nor a symbolic link: the kernel hands out nothing for these.
fn is_pin(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|there| there.is_file())
}

/// What a symbolic link leads to is not touched.
fn remove_tree(path: &Path, removed: &mut Removed) -> Result<(), RemovalError> {
    let there = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        there => there.map_err(failed("look at", path))?,
    };
    if there.is_dir() {
        for child in list(path)? {
            remove_tree(&child, removed)?;
        }
        fs::remove_dir(path).map_err(failed("remove", path))?;
    } else {
        fs::remove_file(path).map_err(failed("remove", path))?;
    }
    removed.paths.push(path.to_owned());
    Ok(())
}

fn remove_root(pins: &PinDir, removed: &mut Removed) -> Result<(), RemovalError> {
    removed.foreign = list(pins.root())?;
    if removed.foreign.is_empty() && pins.root().exists() {
        fs::remove_dir(pins.root()).map_err(failed("remove", pins.root()))?;
        removed.paths.push(pins.root().to_owned());
    }
    Ok(())
}

fn list(directory: &Path) -> Result<Vec<PathBuf>, RemovalError> {
    match fs::read_dir(directory) {
        Ok(entries) => {
            entries.map(|entry| entry.map(|e| e.path()).map_err(failed("list", directory))).collect()
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(failed("list", directory)(e)),
    }
}

fn failed(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RemovalError {
    move |source| RemovalError { step, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A removal ended at the first of them, and each one after it did too; what lay behind a symbolic link was removed.
    #[test]
    fn what_somebody_has_put_among_the_pins_keeps_nothing_from_being_removed() {
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let pins = PinDir::new(dir.path().join("evermesh"));
        let kept = elsewhere.path().join("kept");
        fs::write(&kept, "").unwrap();
        for directory in [pins.links(), pins.frozen(), pins.generation(1)] {
            fs::create_dir_all(directory.join("stray")).unwrap();
            symlink(elsewhere.path(), directory.join("link")).unwrap();
            symlink("/no/such/place", directory.join("dangling")).unwrap();
        }
        assert_eq!(remove_all(&pins).unwrap().foreign, Vec::<PathBuf>::new());
        assert!(!pins.root().exists() && kept.exists());
    }
}
