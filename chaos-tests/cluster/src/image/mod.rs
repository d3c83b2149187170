//! Container images from scratch: files of this machine, laid out as the Open Container Initiative says.

mod archive;
mod containerfile;

use std::path::{Path, PathBuf};

use containerfile::Containerfile;

use crate::{Error, Result, programs};

/// What every pod's own container runs, and what test pods are made of.
pub(crate) const PAUSE: &str = "evermesh.test/pause:1";

/// An image that is ready to be written.
#[derive(Clone, Debug)]
pub struct Image {
    name: String,
    files: Vec<File>,
    entrypoint: Vec<String>,
    command: Vec<String>,
}

/// An executable file in an image.
#[derive(Clone, Debug)]
struct File {
    /// On this machine.
    of: PathBuf,
    /// In the image, without a leading slash.
    at: String,
}

impl Image {
    /// What `containerfile` describes, known as `name` with its registry and tag. Files that it copies are looked for in
    /// `dirs`, in their order.
    pub fn new(name: &str, containerfile: &Path, dirs: &[&Path]) -> Result<Self> {
        let Containerfile { copies, entrypoint, command } = Containerfile::read(containerfile)?;
        let find = |of: &str| {
            dirs.iter().map(|dir| dir.join(of)).find(|path| path.is_file()).ok_or_else(|| Error::NoFile {
                file: of.to_owned(),
                image: name.to_owned(),
                dirs: dirs.iter().map(|dir| dir.to_path_buf()).collect(),
            })
        };
        let files = copies.into_iter().flat_map(|copy| {
            let (to, find) = (copy.to, &find);
            copy.files.into_iter().map(move |of| Ok(File { at: place(&to, &of), of: find(&of)? }))
        });
        Ok(Self { name: name.to_owned(), files: files.collect::<Result<_>>()?, entrypoint, command })
    }

    /// Waits until it is killed.
    pub(crate) fn pause() -> Result<Self> {
        let of = programs::installed("busybox", "busybox-static")?;
        Ok(Self {
            name: PAUSE.to_owned(),
            files: vec![File { of, at: "bin/busybox".to_owned() }],
            entrypoint: ["/bin/busybox", "sleep", "2147483647"].map(str::to_owned).to_vec(),
            command: Vec::new(),
        })
    }

    /// Writes it into `dir`, as an archive that `ctr images import` takes, and gives the file.
    pub(crate) fn write_in(&self, dir: &Path) -> Result<PathBuf> {
        let archive = dir.join(self.name.replace(['/', ':'], "_") + ".tar");
        archive::write(self, &archive)?;
        Ok(archive)
    }
}

/// A destination that ends with a slash is a directory.
fn place(to: &str, of: &str) -> String {
    let name = Path::new(of).file_name().unwrap_or_default().to_string_lossy();
    let path = if to.ends_with('/') { format!("{to}{name}") } else { to.to_owned() };
    path.trim_start_matches('/').to_owned()
}
