//! Where the programs under test are.

use std::path::PathBuf;

use crate::{Error, Result};

/// The program of that name: in `EVERMESH_BIN_DIR`, else where cargo put the running executable (the profile's
/// directory, `deps/` and `examples/` taken off).
pub fn find(name: &str) -> Result<PathBuf> {
    let searched = directory()?;
    let path = searched.join(name);
    if path.is_file() { Ok(path) } else { Err(Error::NoBinary { name: name.to_owned(), searched }) }
}

/// The directory with the kernel programs of another release, as `variants/build` makes them: in `EVERMESH_VARIANTS_DIR`,
/// else beside the profile's directory.
pub fn variant(name: &str) -> Result<PathBuf> {
    let searched = match std::env::var_os("EVERMESH_VARIANTS_DIR") {
        Some(dir) => dir.into(),
        None => directory()?.with_file_name("variants"),
    };
    let path = searched.join(name);
    if path.is_dir() { Ok(path) } else { Err(Error::NoBinary { name: name.to_owned(), searched }) }
}

/// The directory with the programs of a later release, as `variants/build-release` makes them.
pub fn release_after(name: &str) -> Result<PathBuf> {
    let searched = directory()?.with_file_name("releases");
    let path = searched.join(name);
    if path.join("inputs").is_file() {
        Ok(path)
    } else {
        Err(Error::NoBinary { name: name.to_owned(), searched })
    }
}

/// The directory with the programs of an earlier release, as `releases/build` makes them; none where this copy has no
/// history to build them from.
pub fn release_before() -> Result<Option<PathBuf>> {
    let place = directory()?.with_file_name("releases").join("before");
    Ok(place.join("commit").is_file().then_some(place))
}

fn directory() -> Result<PathBuf> {
    if let Some(dir) = std::env::var_os("EVERMESH_BIN_DIR") {
        return Ok(dir.into());
    }
    let exe = std::env::current_exe().map_err(Error::path("find", "/proc/self/exe"))?;
    let dir = exe.parent().unwrap_or(&exe);
    let nested = dir.ends_with("deps") || dir.ends_with("examples");
    Ok(if nested { dir.parent().unwrap_or(dir) } else { dir }.to_path_buf())
}
