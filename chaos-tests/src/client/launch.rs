use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use clap::ValueEnum;

use super::{Kind, Target};
use crate::{Result, binaries, pod::Pod, process::Process};

const PATIENCE: Duration = Duration::from_secs(10);

/// What a client is to do.
#[derive(Clone, Debug)]
pub struct ClientSpec {
    /// Again and again.
    pub kind: Kind,
    /// At these, in turn.
    pub targets: Vec<Target>,
    /// For this long, unless it is stopped.
    pub at_most: Duration,
}

/// A client in a pod.
#[derive(Debug)]
pub struct ClientProcess {
    process: Process,
    recording: PathBuf,
}

impl ClientProcess {
    /// Starts it, known as `what` (unique in the sandbox), and waits until its first attempt is about to begin.
    pub fn start(pod: &Pod, what: &str, spec: &ClientSpec) -> Result<Self> {
        let recording = pod.file(&format!("{what}.attempts"));
        let mut command = Command::new(binaries::find("evermesh-rig")?);
        command.arg("client").arg("--record").arg(&recording).args(spec.to_args());
        let mut process = pod.spawn(what, command)?;
        process.await_ready(PATIENCE)?;
        Ok(Self { process, recording })
    }

    /// What it was started as.
    pub fn what(&self) -> &str {
        self.process.what()
    }

    /// Its process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Lets it finish its last attempt and its recording, and gives the recording. A client that did not finish
    /// is the oracle's matter: its recording is not complete.
    pub fn stop(mut self) -> Result<PathBuf> {
        self.process.close_input();
        self.process.await_exit(PATIENCE)?;
        Ok(self.recording.clone())
    }

    /// Where it writes its attempts.
    pub fn recording(&self) -> &Path {
        &self.recording
    }
}

impl ClientSpec {
    fn to_args(&self) -> Vec<String> {
        let kind = self.kind.to_possible_value();
        let mut args = vec![format!("--for-ms={}", self.at_most.as_millis())];
        args.extend(kind.map(|kind| format!("--kind={}", kind.get_name())));
        args.extend(self.targets.iter().map(|target| format!("--target={target}")));
        args
    }
}
