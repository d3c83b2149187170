//! Evermesh on a node, which follows an Istiod: the programs themselves, as the node's root would run them.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use evermesh_chaos_tests::{binaries, wait};
use evermesh_cluster::Cluster;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::scene::PATIENCE;

/// `status` exits with it when something needs attention; it answers all the same.
const DEGRADED: i32 = 3;

/// On the node.
const LOG: &str = "/var/log/evermesh.log";

/// So long that no agent is replaced because the machine is slow. The namespace is that of the token.
const FLAGS: [&str; 4] = ["--node=node1", "--watchdog-ms=120000", "--log=info", "--cluster-id=Kubernetes"];
const VARIABLES: [(&str, &str); 3] =
    [("POD_NAME", "ztunnel-node1"), ("POD_NAMESPACE", "istio-system"), ("INSTANCE_IP", "10.77.0.11")];

/// `evermesh run` on node 1. Dropped: its processes have ended, and what it pinned goes with the node.
pub struct Follower<'a> {
    cluster: &'a Cluster,
    program: PathBuf,
    flags: Vec<String>,
    supervisor: Option<Child>,
}

impl<'a> Follower<'a> {
    /// With these flags, which say where the Istiod is.
    pub fn start(cluster: &'a Cluster, flags: Vec<String>) -> Self {
        let program = binaries::find("evermesh").unwrap();
        let mut follower = Self { cluster, program, flags, supervisor: None };
        follower.start_again();
        follower
    }

    /// Starts it after it was stopped.
    pub fn start_again(&mut self) {
        let node = &self.cluster.nodes()[0];
        let log = File::options().create(true).append(true).open(node.path(LOG.as_ref())).unwrap();
        let mut command = self.on_node(&self.program);
        command.arg("run").args(FLAGS).args(&self.flags).envs(VARIABLES);
        command.arg("--cgroup").arg(node.pods_cgroup().path());
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.supervisor = Some(command.spawn().unwrap());
        wait::until("an agent that runs", PATIENCE, || self.agent()).unwrap();
    }

    /// Ends its processes; what it pinned stays.
    pub fn stop(&mut self) {
        if let Some(mut supervisor) = self.supervisor.take() {
            kill(Pid::from_raw(supervisor.id().cast_signed()), Signal::SIGINT).unwrap();
            supervisor.wait().unwrap();
        }
    }

    /// Removes what it pinned, after it was stopped. What is on disk stays.
    pub fn uninstall(&self) {
        self.run(&["uninstall"]);
        assert!(self.json(&["dump", "endpoints"]).is_none(), "nothing stands");
    }

    /// Kills the agent, and waits for the next one.
    pub fn kill_agent(&self) {
        let old = self.agent().unwrap();
        kill(old, Signal::SIGKILL).unwrap();
        wait::until("another agent", PATIENCE, || self.agent().filter(|&agent| agent != old)).unwrap();
    }

    /// Lets the traffic of a pod of the namespace `mesh` be balanced.
    pub fn enrol(&self, pod: &str, process: i32) {
        self.run(&["pod", "add", pod, "--pid", &process.to_string()]);
    }

    /// The process that serves now.
    pub fn agent(&self) -> Option<Pid> {
        let status = self.json(&["status"])?;
        let serves = status["agent"]["state"] == "running" && status["supervisor"]["phase"] == "running";
        let pid = i32::try_from(status["agent"]["pid"].as_i64()?).unwrap();
        serves.then(|| Pid::from_raw(pid))
    }

    /// What `status` says.
    pub fn status(&self) -> Value {
        self.json(&["status"]).unwrap()
    }

    /// What it says of the control plane.
    pub fn link(&self) -> Value {
        self.status()["control_plane"].take()
    }

    /// Words stored and elements updated since the agent started.
    pub fn writes(&self) -> u64 {
        self.status()["data_path"]["writes"].as_u64().unwrap()
    }

    /// What new connections may be given, as the kernel's tables say: `PORT OF A SERVICE to ADDRESS:PORT`.
    pub fn endpoints(&self) -> BTreeSet<String> {
        let dump = self.json(&["dump", "endpoints"]);
        let endpoints = dump.as_ref().and_then(|dump| dump["endpoints"].as_array()).into_iter().flatten();
        endpoints
            .filter(|it| it["slots"] != 0)
            .map(|it| {
                let address = it["address"].as_str().unwrap();
                format!("{} to {address}:{}", it["service_port"], it["port"])
            })
            .collect()
    }

    /// The service ports that stand in the kernel's tables.
    pub fn services(&self) -> Value {
        self.json(&["dump", "services"]).unwrap()
    }

    /// What the control plane said, as this node knows it.
    pub fn known(&self) -> Value {
        self.json(&["dump", "xds"]).unwrap()
    }

    /// How many bytes have come on its connection to the Istiod that stands.
    pub fn received(&self) -> Option<u64> {
        let mut command = self.on_node("/usr/bin/ss".as_ref());
        let output = command.args(["-tinH", "dport = :15010 or dport = :15012"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_whitespace().find_map(|word| word.strip_prefix("bytes_received:")?.parse().ok())
    }

    /// Its log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.cluster.nodes()[0].path(LOG.as_ref())).unwrap_or_default()
    }

    fn json(&self, arguments: &[&str]) -> Option<Value> {
        let output = self.on_node(&self.program).args(arguments).args(["--output", "json"]).output().unwrap();
        let answers = output.status.success() || output.status.code() == Some(DEGRADED);
        answers.then(|| serde_json::from_slice(&output.stdout).unwrap())
    }

    fn run(&self, arguments: &[&str]) {
        self.cluster.nodes()[0].exec(&self.program, arguments).unwrap();
    }

    fn on_node(&self, program: &Path) -> Command {
        self.cluster.access().command(1, program).unwrap()
    }
}

impl Drop for Follower<'_> {
    /// The agent ends with its supervisor.
    fn drop(&mut self) {
        if let Some(mut supervisor) = self.supervisor.take() {
            let _ = supervisor.kill();
            let _ = supervisor.wait();
        }
    }
}
