//! The `evermesh` commands besides `run`.

use std::{collections::BTreeSet, ffi::OsStr, path::Path, process::Command};

use serde::de::DeserializeOwned;

use super::{
    Mesh,
    view::{ControlPlaneSeen, Dump, MeshEndpoint, Refusal, Status},
};
use crate::{Error, Result, pod::Pod};

/// `status` exits with it when something needs attention; it answers all the same.
const DEGRADED: i32 = 3;

impl Mesh<'_> {
    /// Lets the traffic of `pod` be balanced.
    pub fn pod_add(&self, pod: &Pod) -> Result<()> {
        let netns = pod.netns().path().as_os_str();
        self.command(&["pod".as_ref(), "add".as_ref(), pod.name().as_ref(), "--netns".as_ref(), netns])
            .map(drop)
    }

    /// Has the release in that directory tried, until it is committed.
    pub fn upgrade(&self, to: &Path) -> Result<()> {
        self.command(&["upgrade".as_ref(), "--to".as_ref(), to.as_os_str()]).map(drop)
    }

    /// The same with the release that was committed before.
    pub fn roll_back(&self) -> Result<()> {
        self.command(&["upgrade", "rollback"].map(OsStr::new)).map(drop)
    }

    /// The endpoints that new connections may be given, as the kernel's tables say.
    pub fn endpoints(&self) -> Result<BTreeSet<MeshEndpoint>> {
        let dump: Dump = self.json("dump", &["dump", "endpoints"])?;
        Ok(dump.endpoints.into_iter().filter(|e| e.slots > 0).map(|e| e.endpoint).collect())
    }

    /// Why the mesh's file is not in force; `None` if it is.
    pub fn refusal(&self) -> Result<Option<Refusal>> {
        Ok(self.status()?.refused)
    }

    /// The number of the live generation; `None` if there is none.
    pub fn generation(&self) -> Result<Option<u32>> {
        Ok(self.status()?.data_path.generation)
    }

    /// The control plane as the node sees it; `None` where it follows none.
    pub fn control_plane(&self) -> Result<Option<ControlPlaneSeen>> {
        Ok(self.status()?.control_plane)
    }

    /// Words stored and elements updated since the agent started.
    pub fn writes(&self) -> Result<Option<u64>> {
        Ok(self.status()?.data_path.writes)
    }

    /// What the agent noticed at its start.
    pub fn notes(&self) -> Result<Vec<String>> {
        Ok(self.status()?.agent.notes)
    }

    fn status(&self) -> Result<Status> {
        self.json("status", &["status"])
    }

    /// Takes away everything that was ever pinned, and tells what that was.
    pub fn uninstall(&self) -> Result<String> {
        self.command(&["uninstall".as_ref()])
    }

    fn json<T: DeserializeOwned>(&self, what: &'static str, arguments: &[&str]) -> Result<T> {
        let arguments: Vec<&OsStr> = arguments.iter().chain(&["--output", "json"]).map(OsStr::new).collect();
        let text = self.command(&arguments)?;
        serde_json::from_str(&text).map_err(|source| Error::Json { what, source })
    }

    /// Runs `evermesh` with these arguments and the sandbox's directories, and gives what it printed.
    pub fn command(&self, arguments: &[&OsStr]) -> Result<String> {
        let mut command = Command::new(&self.program);
        command.args(arguments).args(self.directories());
        self.wall_clock.iter().for_each(|clock| clock.give(&mut command));
        let text = format!("{command:?}");
        let program = self.program.clone();
        let output = command.output().map_err(|source| Error::Spawn { program, source })?;
        if output.status.success() || output.status.code() == Some(DEGRADED) {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(Error::Command { command: text, status: output.status, stderr })
    }
}
