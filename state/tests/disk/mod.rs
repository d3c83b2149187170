//! A disk that a test may fill and make read-only: a tmpfs in a mount namespace that nobody else sees.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
};
use tempfile::TempDir;

const CLOSING_MAX: Duration = Duration::from_secs(10);

pub struct Disk {
    dir: TempDir,
}

impl Disk {
    /// Of so many bytes. The calling thread sees it, and those that it starts.
    pub fn new(bytes: u64) -> Self {
        let dir = TempDir::new().unwrap();
        unshare(CloneFlags::CLONE_NEWNS).expect("root, for a mount namespace of its own");
        let nothing = None::<&str>;
        mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing).unwrap();
        let size = format!("size={bytes}");
        mount(Some("tmpfs"), dir.path(), Some("tmpfs"), MsFlags::empty(), Some(size.as_str())).unwrap();
        Self { dir }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Leaves room for so many bytes.
    pub fn fill_but(&self, bytes: u64) {
        self.make_room();
        let mut file = File::create(self.filler()).unwrap();
        let full = loop {
            if let Err(error) = file.write_all(&[1; 4096]) {
                break error;
            }
        };
        assert_eq!(full.raw_os_error(), Some(Errno::ENOSPC as i32));
        let length = file.metadata().unwrap().len();
        file.set_len(length.saturating_sub(bytes)).unwrap();
    }

    pub fn make_room(&self) {
        fs::remove_file(self.filler()).ok();
    }

    /// Waits until nobody has a file open for writing: sled closes its files a moment after a database was dropped.
    pub fn set_read_only(&self, read_only: bool) {
        let flags = if read_only { MsFlags::MS_RDONLY } else { MsFlags::empty() };
        let nothing = None::<&str>;
        let deadline = Instant::now() + CLOSING_MAX;
        loop {
            match mount(nothing, self.path(), nothing, MsFlags::MS_REMOUNT | flags, nothing) {
                Err(Errno::EBUSY) if Instant::now() < deadline => sleep(CLOSING_MAX / 1000),
                remounted => return remounted.unwrap(),
            }
        }
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        umount2(self.path(), MntFlags::MNT_DETACH).ok();
    }
}
