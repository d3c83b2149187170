use std::{process::Command, time::Duration};

use super::{Name, Ports};
use crate::{Result, binaries, pod::Pod, process::Process};

const PATIENCE: Duration = Duration::from_secs(10);

/// A server in a pod, under the pod's name.
#[derive(Debug)]
pub struct ServerProcess {
    name: Name,
    process: Process,
}

impl ServerProcess {
    /// Starts it, and waits until it listens.
    pub fn start(pod: &Pod, ports: &Ports) -> Result<Self> {
        let mut command = Command::new(binaries::find("evermesh-rig")?);
        command.args(["server", "--name", pod.name()]).args(ports.to_args());
        let mut process = pod.spawn(&format!("server-{}", pod.name()), command)?;
        process.await_ready(PATIENCE)?;
        Ok(Self { name: pod.name().parse()?, process })
    }

    /// What it answers with.
    pub fn name(&self) -> Name {
        self.name
    }

    /// Its process.
    pub fn process(&self) -> &Process {
        &self.process
    }
}

impl Ports {
    fn to_args(&self) -> Vec<String> {
        let groups = [
            ("--http", &self.http),
            ("--greeting", &self.greeting),
            ("--stream", &self.stream),
            ("--udp", &self.udp),
        ];
        let ports =
            groups.into_iter().flat_map(|(flag, ports)| ports.iter().map(move |p| format!("{flag}={p}")));
        ports.chain([format!("--backlog={}", self.backlog)]).collect()
    }
}
