//! Whoever brings a cluster up may be killed at any moment.

use std::{
    env,
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use evermesh_chaos_tests::faults;
use evermesh_cluster::{ClusterName, Footprint};
use rand::RngExt;

use crate::{machine::Machine, scene};

/// How many times it is killed.
const KILLS: &str = "EVERMESH_CLUSTER_KILLS";
const NAME: &str = "killed";

#[test]
fn a_cluster_comes_up_after_whoever_began_was_killed() {
    let kills = env::var(KILLS).ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let before = Machine::now(NAME);
    let mut random = faults::random(faults::seed());
    // Drawn from the time that it takes here, every moment may be the one.
    let took = up();
    down(&before);
    for kill in 1..=kills {
        let delay = random.random_range(Duration::ZERO..took);
        let mut victim = cluster("up").arg("--nodes=2").stdout(Stdio::null()).spawn().unwrap();
        sleep(delay);
        victim.kill().unwrap();
        victim.wait().unwrap();
        let left = footprint();
        println!(
            "kill {kill} of {kills}, after {delay:?}: {} mounts, {} processes",
            left.mounts.len(),
            left.processes.len()
        );
        // What is left is removed by the one as by the other. A cluster that was up already stays until it is taken down.
        if kill % 2 == 0 || Path::new("/run/evermesh-cluster").join(NAME).join("kept").exists() {
            down(&before);
        }
        up();
        down(&before);
    }
}

/// How long it took.
fn up() -> Duration {
    let began = Instant::now();
    run(cluster("up").arg("--nodes=2"));
    let took = began.elapsed();
    let nodes = cluster("kubectl").args(["get", "nodes", "--no-headers"]).output().unwrap();
    let nodes = String::from_utf8(nodes.stdout).unwrap();
    assert_eq!(nodes.lines().filter(|line| line.contains(" Ready ")).count(), 2, "{nodes}");
    took
}

fn down(before: &Machine) {
    run(&mut cluster("down"));
    assert!(footprint().is_empty());
    let after = scene::await_reaped(NAME, before);
    assert_eq!(after.added_since(before), Vec::<&str>::new());
}

fn footprint() -> Footprint {
    Footprint::of(&NAME.parse::<ClusterName>().unwrap()).unwrap()
}

fn cluster(action: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evermesh-cluster"));
    command.args([action, "--name", NAME]);
    command
}

fn run(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}
