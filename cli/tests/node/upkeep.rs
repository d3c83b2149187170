use std::os::fd::AsFd as _;

use evermesh_pins::{Inventory, Table, sys::WriteMapping};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::sandbox::{Sandbox, signal, until};

fn status(sandbox: &Sandbox) -> Value {
    serde_json::from_slice(&sandbox.call(&["status", "--output", "json"]).stdout).unwrap()
}

fn endpoints(sandbox: &Sandbox) -> String {
    sandbox.told(&sandbox.call(&["dump", "endpoints"]))
}

#[test]
fn what_somebody_else_wrote_into_the_tables_is_put_right_and_counted() {
    let sandbox = Sandbox::new();
    let running = sandbox.start();
    let before = endpoints(&sandbox);

    let inventory = Inventory::read(&sandbox.pins()).unwrap();
    let services = &inventory.generations[&1].tables[&Table::Services];
    let mapping = WriteMapping::<u64>::new(services.fd.as_fd(), services.info.max_entries).unwrap();
    (0..services.info.max_entries).for_each(|id| assert!(mapping.set(id, 0)));
    assert_ne!(endpoints(&sandbox), before);

    signal(running.agent(), Signal::SIGUSR1);
    let drifted = until(|| Some(status(&sandbox)).filter(|it| it["data_path"]["drifts"] == 1)).unwrap();
    assert_eq!(drifted["health"], "healthy", "{drifted:#}");
    assert_eq!(endpoints(&sandbox), before);
}

#[test]
fn a_hung_agent_is_replaced() {
    let sandbox = Sandbox::new();
    let running = sandbox.start_with(&["--watchdog-ms", "1000"]);
    let (agent, standing) = (running.agent(), sandbox.standing());
    signal(agent, Signal::SIGSTOP);
    until(|| (status(&sandbox)["health"] == "healthy" && running.agent() != agent).then_some(())).unwrap();
    assert_eq!(status(&sandbox)["supervisor"]["restarts"]["hung"], 1);
    assert_eq!(sandbox.standing(), standing);
}

#[test]
fn an_agent_that_was_killed_is_replaced() {
    let sandbox = Sandbox::new();
    let running = sandbox.start();
    let (agent, standing) = (running.agent(), sandbox.standing());
    signal(agent, Signal::SIGKILL);
    let replaced = || sandbox.state()?.agent_pid.filter(|&pid| pid != agent);
    until(replaced).unwrap();
    until(|| (status(&sandbox)["health"] == "healthy").then_some(())).unwrap();
    assert_eq!(sandbox.standing(), standing);
}
