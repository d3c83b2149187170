use std::{fs::DirBuilder, os::unix::fs::DirBuilderExt as _, path::Path};

use nix::unistd::{AccessFlags, access};

use crate::{Options, SupervisorError};

/// Makes sure that both directories exist and can be written, before anything else happens.
pub fn prepare(options: &Options) -> Result<(), SupervisorError> {
    prepare_one("run", &options.run_dir, 0o755)?;
    prepare_one("state", &options.state_dir, 0o700)
}

fn prepare_one(role: &'static str, path: &Path, mode: u32) -> Result<(), SupervisorError> {
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(|source| SupervisorError::CreateDirectory { role, path: path.into(), source })?;
    access(path, AccessFlags::W_OK | AccessFlags::X_OK).map_err(|source| SupervisorError::WriteDirectory {
        role,
        path: path.into(),
        source: source.into(),
    })
}
