use std::{
    os::unix::process::ExitStatusExt as _,
    process::{Child, Stdio},
};

use nix::sys::signal::Signal;

use crate::sandbox::{Sandbox, signal, until};

/// An agent that nobody looks after; killed when dropped.
struct LoneAgent(Child);

impl LoneAgent {
    fn start(sandbox: &Sandbox) -> Self {
        let mut command = sandbox.agent("state", "run");
        let agent = Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let ready = || (sandbox.json(&["status"])["agent"]["state"] == "running").then_some(());
        assert!(until(ready).is_some(), "the agent does not get ready");
        agent
    }

    /// Nobody else reaps it.
    fn ended(&mut self) -> Option<i32> {
        until(|| self.0.try_wait().unwrap()).unwrap().signal()
    }
}

impl Drop for LoneAgent {
    fn drop(&mut self) {
        if self.0.try_wait().unwrap().is_none() {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }
}

#[test]
fn uninstall_stops_an_agent_without_supervisor() {
    let sandbox = Sandbox::new();
    let mut agent = LoneAgent::start(&sandbox);
    let removed = sandbox.json(&["uninstall"]);
    assert_eq!(removed["agent_stopped"], agent.0.id(), "{removed:#}");
    assert_eq!(removed["supervisor_stopped"], false);
    assert_eq!(agent.ended(), None);
    assert!(!sandbox.path("bpf/evermesh").exists());
    assert!(!sandbox.path("state/intent").exists());
}

#[test]
fn an_agent_that_hangs_is_killed() {
    let sandbox = Sandbox::new();
    let mut agent = LoneAgent::start(&sandbox);
    signal(agent.0.id(), Signal::SIGSTOP);
    let removed = sandbox.json(&["uninstall"]);
    assert_eq!(removed["agent_stopped"], agent.0.id(), "{removed:#}");
    assert_eq!(agent.ended(), Some(Signal::SIGKILL as i32));
    assert!(!sandbox.path("bpf/evermesh").exists());
}

#[test]
fn an_agent_whose_supervisor_runs_elsewhere_is_left_alone() {
    let sandbox = Sandbox::new();
    let mut running = sandbox.start();
    let standing = sandbox.standing();
    let elsewhere = sandbox.path("elsewhere");
    let told = sandbox.told(&sandbox.call(&["uninstall", "--run-dir", elsewhere.to_str().unwrap()]));
    let told = told.replace(&format!("pid {}", running.agent()), "pid [agent]");
    insta::assert_snapshot!(told.replace(&format!("pid {}", running.pid()), "pid [supervisor]"));
    assert!(running.is_alive());
    assert_eq!(sandbox.standing(), standing);
}
