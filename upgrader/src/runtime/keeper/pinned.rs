//! What stands in the pin directory, by names alone: what a release on trial leaves there without a place for it.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use crate::release::Layouts;

/// The directory of an agent that is not told one.
const DEFAULT: &str = "/sys/fs/bpf/evermesh";
const ANY_GENERATION: &str = "*";

/// The pin directory.
#[derive(Clone, Debug)]
pub struct Pinned {
    root: PathBuf,
}

/// Where releases pin something. A later one may know more of them.
#[derive(Debug, Default)]
pub struct Places(BTreeSet<String>);

impl Pinned {
    /// That of an agent with these arguments.
    pub fn of_agent(args: &[OsString]) -> Self {
        let mut args = args.iter().filter_map(|argument| argument.to_str());
        let mut root = None;
        while let Some(argument) = args.next() {
            match argument.strip_prefix("--bpffs") {
                Some("") => root = args.next().or(root),
                Some(joined) => root = joined.strip_prefix('=').or(root),
                None => {}
            }
        }
        Self { root: root.unwrap_or(DEFAULT).into() }
    }

    /// What stands there without a place; of a directory without one not what is in it. What cannot be listed holds nothing.
    pub fn odd(&self, places: &Places) -> BTreeSet<PathBuf> {
        let mut odd = BTreeSet::new();
        let mut left = vec![PathBuf::new()];
        while let Some(directory) = left.pop() {
            for name in names(&self.root.join(&directory)) {
                let place = directory.join(name);
                let path = self.root.join(&place);
                if !places.knows(&place) {
                    odd.insert(path);
                } else if path.is_dir() && !path.is_symlink() {
                    left.push(place);
                }
            }
        }
        odd
    }
}

fn names(directory: &Path) -> Vec<OsString> {
    let listed = fs::read_dir(directory).into_iter().flatten();
    listed.filter_map(|entry| Some(entry.ok()?.file_name())).collect()
}

/// Removes a pin, or a directory with what is in it.
pub fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() && !path.is_symlink() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

impl Places {
    /// All that these releases say. None: no release says any.
    pub fn of<'a>(said: impl IntoIterator<Item = &'a Layouts>) -> Option<Self> {
        let places: BTreeSet<_> = said.into_iter().flat_map(Layouts::places).map(str::to_owned).collect();
        (!places.is_empty()).then_some(Self(places))
    }

    fn knows(&self, place: &Path) -> bool {
        let Some(place) = place.to_str() else { return false };
        self.0.contains(place) || self.0.contains(&in_any_generation(place))
    }
}

/// The second part of a path below `gen`, if it is the name of a generation.
fn in_any_generation(place: &str) -> String {
    let is_number = |part: &str| part.len() == 6 && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts = place.split('/').enumerate();
    let any = |(at, part)| if at == 1 && is_number(part) { ANY_GENERATION } else { part };
    parts.map(any).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn pinned(paths: &[&str]) -> (tempfile::TempDir, Pinned) {
        let dir = tempfile::tempdir().unwrap();
        for path in paths {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let pinned = Pinned { root: dir.path().into() };
        (dir, pinned)
    }

    fn places() -> Places {
        let all = ["live", "frozen", "frozen/control", "gen", "gen/*", "gen/*/tables", "gen/*/tables/slots"];
        Places(all.map(str::to_owned).into())
    }

    #[test]
    fn what_has_a_place_in_any_generation_is_not_odd() {
        let (dir, pinned) = pinned(&["frozen/control", "gen/000001/tables/slots", "gen/123456/tables/slots"]);
        symlink("gen/000001", dir.path().join("live")).unwrap();
        assert_eq!(pinned.odd(&places()), BTreeSet::new());
    }

    #[test]
    fn what_has_none_is_odd_and_of_a_directory_not_what_is_in_it() {
        let odd = [
            "frozen/leaked",
            "gen/000001/leaked",
            "gen/000001/tables/leaked",
            "gen/1/tables/slots",
            "top/a/b",
        ];
        let (dir, pinned) = pinned(&odd);
        let wanted = ["frozen/leaked", "gen/000001/leaked", "gen/000001/tables/leaked", "gen/1", "top"];
        assert_eq!(pinned.odd(&places()), wanted.iter().map(|place| dir.path().join(place)).collect());
        for path in pinned.odd(&places()) {
            remove(&path).unwrap();
        }
        assert_eq!(pinned.odd(&places()), BTreeSet::new());
        assert!(dir.path().join("gen/000001/tables").exists());
    }

    #[test]
    fn a_directory_that_does_not_exist_holds_nothing() {
        let nowhere = Pinned { root: "/nowhere/at/all".into() };
        assert_eq!(nowhere.odd(&places()), BTreeSet::new());
    }

    #[test]
    fn the_directory_is_the_one_that_the_agent_is_told_last() {
        let root =
            |line: &str| Pinned::of_agent(&line.split(' ').map(OsString::from).collect::<Vec<_>>()).root;
        assert_eq!(root("--config /m"), Path::new(DEFAULT));
        assert_eq!(root("--bpffs /a --config /m"), Path::new("/a"));
        assert_eq!(root("--bpffs=/a --bpffs /b"), Path::new("/b"));
        assert_eq!(root("--bpffs"), Path::new(DEFAULT));
    }
}
