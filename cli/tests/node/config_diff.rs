use std::os::fd::AsFd as _;

use evermesh_pins::{GenerationPins, Inventory, MapPin, Table, TablesView, sys::WriteMapping};
use nix::sys::signal::Signal;

use crate::sandbox::{MESH, Sandbox, signal, until};

/// Two workloads behind `web`, and one behind `api`.
fn mesh() -> String {
    let api = "
  - name: api
    namespace: demo
    hostname: api.demo.svc
    vips: [10.96.0.20]
    ports: {80: {targetPort: 9090, protocols: [TCP]}}
workloads:
  - uid: demo/api-1
    name: api-1
    namespace: demo
    workloadIps: [10.244.0.21]
    services: {demo/api.demo.svc: {}}
  - uid: demo/web-2
    name: web-2
    namespace: demo
    workloadIps: [10.244.0.12]
    services: {demo/web.demo.svc: {}}";
    MESH.replace("\nworkloads:", api)
}

fn diff(sandbox: &Sandbox) -> String {
    sandbox.told(&sandbox.call(&["config", "diff", "--node", "node-1"]))
}

/// Writes the endpoint of `api` into a slot of `web`.
fn change_a_slot(sandbox: &Sandbox) {
    let inventory = Inventory::read(&sandbox.pins()).unwrap();
    let pins: &GenerationPins = &inventory.generations[&1];
    let view = TablesView::open(&sandbox.pins(), 1, pins).unwrap();
    let port_of = |slot| view.endpoint(u32::try_from(view.slot(slot)?).ok()?).map(|it| u16::from_be(it.port));
    let slot_of = |port| (0..view.entries().slots).find(|&slot| port_of(slot) == Some(port)).unwrap();
    let (web, api) = (slot_of(8080), slot_of(9090));
    let slots: &MapPin = &pins.tables[&Table::Slots];
    let mapping = WriteMapping::<u64>::new(slots.fd.as_fd(), slots.info.max_entries).unwrap();
    assert!(mapping.set(web, view.slot(api).unwrap()));
}

#[test]
fn a_slot_that_somebody_changed_is_a_difference_until_it_is_put_right() {
    let sandbox = Sandbox::new();
    sandbox.write_config(&mesh());
    let running = sandbox.start();
    insta::assert_snapshot!("same", diff(&sandbox));

    change_a_slot(&sandbox);
    insta::assert_snapshot!("one_slot", diff(&sandbox));

    signal(running.agent(), Signal::SIGUSR1);
    until(|| diff(&sandbox).starts_with("exit code 0").then_some(())).unwrap();
}

#[test]
fn with_no_agent_the_file_is_compared_that_was_applied_last_or_that_is_named() {
    let sandbox = Sandbox::new();
    sandbox.leave_a_data_path();
    assert!(diff(&sandbox).starts_with("exit code 0"), "{}", diff(&sandbox));

    sandbox.write_config(&mesh());
    insta::assert_snapshot!("not_applied", diff(&sandbox));

    std::fs::write(sandbox.path("wrong.yaml"), "services: 7").unwrap();
    let wrong = sandbox.call(&["config", "diff", "--config", "wrong.yaml"]);
    insta::assert_snapshot!("wrong_file", sandbox.told(&wrong));
    let xds = sandbox.call(&["dump", "xds"]);
    insta::assert_snapshot!("no_control_plane", sandbox.told(&xds));
}
