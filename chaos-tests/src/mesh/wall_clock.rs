//! A wall clock that is ahead of the machine's, for the processes of one mesh: by libfaketime. Clocks that only count, which
//! heartbeats and timeouts go by, are the kernel's own.

use std::{
    env::consts::ARCH,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{Error, Result};

const SHARED_MEMORY: &str = "/dev/shm";

/// How far ahead it is stands in a file that is read each time somebody asks for the time.
#[derive(Debug)]
pub(super) struct WallClock {
    library: PathBuf,
    file: PathBuf,
}

impl WallClock {
    /// The file lies in that directory.
    pub fn new(directory: &Path) -> Self {
        let library = format!("/usr/lib/{ARCH}-linux-gnu/faketime/libfaketimeMT.so.1").into();
        Self { library, file: directory.join("wall-clock") }
    }

    pub fn set_ahead(&self, by: Duration) -> Result<()> {
        if !self.library.exists() {
            return Err(Error::NoFakeClock { library: self.library.clone() });
        }
        let aside = self.file.with_added_extension("new");
        fs::write(&aside, format!("+{}\n", by.as_secs())).map_err(Error::path("write", &aside))?;
        fs::rename(&aside, &self.file).map_err(Error::path("replace", &self.file))
    }

    /// Gives it to a process and its descendants.
    pub fn give(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1");
    }
}

/// Every process leaves its shared memory behind, named after it.
impl Drop for WallClock {
    fn drop(&mut self) {
        let names = fs::read_dir(SHARED_MEMORY).into_iter().flatten().flatten();
        for entry in names.filter(|entry| entry.file_name().to_str().is_some_and(is_left_behind)) {
            // Another test may have been faster.
            fs::remove_file(entry.path()).ok();
        }
    }
}

fn is_left_behind(name: &str) -> bool {
    let pid = name.strip_prefix("faketime_shm_").or(name.strip_prefix("sem.faketime_sem_"));
    pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists())
}
