//! A sandbox leaves nothing behind, whoever ends it.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::{
    env, fs,
    io::{BufRead, BufReader, ErrorKind},
    process::{Command, Stdio},
    time::Duration,
};

use evermesh_chaos_tests::{
    pod::Node,
    process::Process,
    sandbox::{Footprint, Inventory, Sandbox, SandboxName},
    server::{Ports, ServerProcess},
    wait,
};

/// Set in the child that is to be killed in the middle of its work.
const VICTIM: &str = "EVERMESH_TEST_VICTIM";

#[test]
fn a_closed_sandbox_is_gone() {
    let before = Inventory::now().unwrap();
    let sandbox = Sandbox::new().unwrap();
    let name = sandbox.name().clone();
    let _processes = populate(&sandbox);
    let footprint = Footprint::of(&name).unwrap();
    assert!(footprint.mounts.len() >= 3, "bpffs, node and pod: {footprint}");
    assert!(footprint.processes.len() == 2, "server and sleeper: {footprint}");
    sandbox.close().unwrap();
    assert!(Footprint::of(&name).unwrap().is_empty());
    assert_eq!(Inventory::now().unwrap().added_since(&before), Vec::<std::path::PathBuf>::new());
}

#[test]
fn sandboxes_live_side_by_side() {
    let (one, two) = (Sandbox::new().unwrap(), Sandbox::new().unwrap());
    let name = two.name().clone();
    one.close().unwrap();
    assert!(!Footprint::of(&name).unwrap().is_empty());
    two.close().unwrap();
}

#[test]
fn what_a_killed_owner_left_is_swept_by_the_next() {
    let mut victim = Command::new(env::current_exe().unwrap())
        .args(["--exact", "victim", "--nocapture"])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines().map_while(Result::ok);
    let name: SandboxName =
        lines.filter_map(|line| line.parse().ok()).next().expect("the victim tells its name");
    victim.kill().unwrap();
    victim.wait().unwrap();
    let left = Footprint::of(&name).unwrap();
    assert!(!left.mounts.is_empty() && !left.cgroups.is_empty(), "there is something to sweep: {left}");
    Sandbox::new().unwrap().close().unwrap();
    assert!(Footprint::of(&name).unwrap().is_empty(), "{}", Footprint::of(&name).unwrap());
}

#[test]
fn victim() {
    if env::var_os(VICTIM).is_none() {
        return;
    }
    let sandbox = Sandbox::new().unwrap();
    let _processes = populate(&sandbox);
    println!("\n{}", sandbox.name());
    wait::until("being killed", Duration::from_secs(60), || None::<()>).unwrap();
}

/// One in fifty million datagrams was refused, by the kernel alone: it looked for the socket that they were for while another
/// one, of another pod, was being connected.
#[test]
fn sockets_of_one_pod_hide_none_of_another() {
    let sandbox = Sandbox::new().unwrap();
    let node = Node::new(&sandbox).unwrap();
    for pod in ["web", "client"].map(|name| node.pod(name).unwrap()) {
        let read = pod.enter(|| fs::read_to_string("/proc/sys/net/ipv4/udp_hash_entries")).unwrap();
        // Before Linux 6.2 there is one table, and nothing to be said about it.
        if read.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            return;
        }
        let buckets: i64 = read.unwrap().trim().parse().unwrap();
        assert_eq!(buckets, 65_536, "{}: negative where the table is shared", pod.name());
    }
}

/// A pod with a server, and a process that outlives its parent unless the sandbox ends it.
fn populate(sandbox: &Sandbox) -> (ServerProcess, Process) {
    let pod = Node::new(sandbox).unwrap().pod("web").unwrap();
    let server = ServerProcess::start(&pod, &Ports { http: vec![80], ..Ports::default() }).unwrap();
    let mut orphan = Command::new("sh");
    orphan.args(["-c", "setsid sleep 600 & echo ready"]);
    let mut orphan = pod.spawn("orphan", orphan).unwrap();
    wait::until("the sleeper", Duration::from_secs(10), || orphan.output().contains("ready").then_some(()))
        .unwrap();
    orphan.await_exit(Duration::from_secs(10)).unwrap();
    (server, orphan)
}
