use std::{
    fs,
    path::Path,
    process::{Child, Command},
};

use crate::sandbox::until;

/// A process in a network namespace of its own; killed when dropped.
pub struct Pod(Child);

impl Pod {
    pub fn new() -> Self {
        let pod = Self(Command::new("unshare").args(["--net", "sleep", "infinity"]).spawn().unwrap());
        let own = fs::read_link("/proc/self/ns/net").unwrap();
        until(|| (fs::read_link(pod.namespace()).ok()? != own).then_some(())).unwrap();
        pod
    }

    pub fn pid(&self) -> String {
        self.0.id().to_string()
    }

    pub fn namespace(&self) -> String {
        format!("/proc/{}/ns/net", self.pid())
    }

    /// Moves it.
    pub fn move_to(&self, directory: &Path) {
        fs::write(directory.join("cgroup.procs"), self.pid()).unwrap();
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}
