use std::{
    fs::{self, File},
    path::Path,
    process,
    sync::mpsc,
    thread,
};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    unistd::gettid,
};

use crate::{Error, Result};

/// Makes a mount namespace, calls `prepare` inside, and mounts it at `pin`. No mount goes from it to others, nor the other
/// way round; those inside are shared with what is mounted from them again, as containers expect of a node.
pub(crate) fn create(pin: &Path, prepare: impl FnOnce() -> Result<()> + Send) -> Result<()> {
    File::create(pin).map_err(Error::path("create", pin))?;
    let (made, is_made) = mpsc::channel();
    let (pinned, is_pinned) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let inside = scope.spawn(move || {
            isolate()?;
            prepare()?;
            propagate(MsFlags::MS_SHARED)?;
            // The namespace must live until it is mounted outside. Nobody waits where that has failed.
            if made.send(gettid()).is_ok() {
                let _ = is_pinned.recv();
            }
            Ok(())
        });
        let result = is_made.recv().map(|tid| {
            let namespace = format!("/proc/{}/task/{tid}/ns/mnt", process::id());
            mount(Some(namespace.as_str()), pin, None::<&str>, MsFlags::MS_BIND, None::<&str>)
                .map_err(Error::kernel("mount a mount namespace at", pin))
        });
        drop(pinned);
        match inside.join() {
            Ok(inside) => inside.and(result.unwrap_or(Ok(()))),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn isolate() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNS).map_err(Error::kernel("make a mount namespace for", "a node"))?;
    propagate(MsFlags::MS_PRIVATE)
}

fn propagate(how: MsFlags) -> Result<()> {
    let none = None::<&str>;
    mount(none, "/", none, how | MsFlags::MS_REC, none)
        .map_err(Error::kernel("change the propagation of", "/"))
}

/// Lets `of` stand at `at` too.
pub(crate) fn bind(of: &Path, at: &Path) -> Result<()> {
    mount(Some(of), at, None::<&str>, MsFlags::MS_BIND, None::<&str>).map_err(Error::kernel("mount", at))
}

/// Lets a file with this content stand at `at`; it is kept in `dir`.
pub(crate) fn bind_content(content: &str, dir: &Path, at: &Path) -> Result<()> {
    let file = dir.join(at.to_string_lossy().replace('/', "-"));
    fs::write(&file, content).map_err(Error::path("write", &file))?;
    bind(&file, at)
}

/// Mounts a new file system of that kind at `at`, such as `bpf` or `tmpfs`.
pub(crate) fn mount_new(kind: &str, at: &Path) -> Result<()> {
    mount(Some(kind), at, Some(kind), MsFlags::empty(), None::<&str>).map_err(Error::kernel("mount", at))
}
