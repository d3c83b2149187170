//! A network namespace that is kept by a bind mount, as `ip netns` does, but inside the sandbox.

use std::{
    fs::File,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, setns, unshare},
};

use crate::{Error, Result};

/// One network namespace. It lives until its mount is taken away by the sandbox.
#[derive(Clone, Debug)]
pub struct Netns {
    path: PathBuf,
}

impl Netns {
    /// Makes a new one and mounts it at `path`.
    pub fn create(path: PathBuf) -> Result<Self> {
        File::create(&path).map_err(Error::path("create", &path))?;
        let netns = Self { path };
        in_thread(|| netns.unshare_and_mount())?;
        Ok(netns)
    }

    fn unshare_and_mount(&self) -> Result<()> {
        unshare(CloneFlags::CLONE_NEWNET)
            .map_err(Error::kernel("make a network namespace for", &self.path))?;
        let none = None::<&str>;
        mount(Some("/proc/thread-self/ns/net"), &self.path, none, MsFlags::MS_BIND, none)
            .map_err(Error::kernel("mount a network namespace at", &self.path))
    }

    /// Where it is mounted: what `evermesh pod add --netns` and `nsenter --net=` take.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// For `setns`.
    pub fn open(&self) -> Result<OwnedFd> {
        let file = File::open(&self.path).map_err(Error::path("open", &self.path))?;
        Ok(file.into())
    }

    /// Runs `work` inside, on a thread of its own.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let fd = self.open()?;
        in_thread(|| {
            setns(&fd, CloneFlags::CLONE_NEWNET).map_err(Error::kernel("enter", &self.path))?;
            work()
        })
    }

    /// Runs lines of `ip -batch` inside.
    pub fn ip(&self, batch: &str) -> Result<()> {
        self.enter(|| run_ip(batch).map_err(|message| self.ip_error(message, batch)))
    }

    fn ip_error(&self, message: String, batch: &str) -> Error {
        Error::Ip { place: self.path.display().to_string(), message, batch: batch.to_owned() }
    }

    /// Sets kernel parameters of this namespace: (path below `/proc/sys/net`, value).
    pub fn set_sysctls(&self, settings: &[(&str, &str)]) -> Result<()> {
        self.enter(|| {
            settings.iter().try_for_each(|(name, value)| {
                let path = Path::new("/proc/sys/net").join(name);
                std::fs::write(&path, value).map_err(Error::path("set", &path))
            })
        })
    }
}

/// Namespaces belong to threads: a thread that changed its own must end with the work.
fn in_thread<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| match scope.spawn(work).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

fn run_ip(batch: &str) -> std::result::Result<(), String> {
    use std::io::Write;
    let mut ip = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| e.to_string())?;
    if let Some(mut stdin) = ip.stdin.take() {
        stdin.write_all(batch.as_bytes()).map_err(|e| e.to_string())?;
    }
    let output = ip.wait_with_output().map_err(|e| e.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
