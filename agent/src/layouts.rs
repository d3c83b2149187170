use std::{
    env,
    io::{self, Write as _},
    path::PathBuf,
};

use evermesh_loader::{LayoutError, Object};
use evermesh_pins::layout::Layouts;

/// Why the layouts were not said.
#[derive(Debug, thiserror::Error)]
pub enum LayoutsError {
    /// The kernel programs that take the place of those built in cannot be read.
    #[error("cannot read the kernel programs {}: {source}", path.display())]
    Programs {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The kernel programs do not say them.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// They could not be written.
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
}

/// Writes as JSON which maps this release makes, field by field: for whoever wants to know before it is tried.
pub fn say_layouts() -> Result<(), LayoutsError> {
    let object = match env::var_os("EVERMESH_PROGRAMS").map(PathBuf::from) {
        Some(path) => Object::read(&path).map_err(|source| LayoutsError::Programs { path, source })?,
        None => Object::default(),
    };
    let said = of(&object)?;
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, &said).map_err(io::Error::from)?;
    Ok(writeln!(out)?)
}

/// What a release with these kernel programs says.
pub fn of(object: &Object) -> Result<Layouts, LayoutsError> {
    Ok(Layouts::of_release(&object.layouts()?, &object.layouts_before()?))
}
