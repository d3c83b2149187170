use std::{fs, path::PathBuf, process::Command, thread};

use nix::sys::signal::Signal;

use crate::sandbox::{Sandbox, signal, until};

const NAME: &str = "evermesh-sentinel-";

/// The cgroups of sentinels.
fn cgroups(sandbox: &Sandbox) -> Vec<PathBuf> {
    let below = fs::read_dir(sandbox.cgroup()).unwrap().map(|entry| entry.unwrap().path());
    below.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(NAME)).collect()
}

fn made(sandbox: &Sandbox, name: &str) -> PathBuf {
    let cgroup = sandbox.cgroup().join(name);
    fs::create_dir(&cgroup).unwrap();
    cgroup
}

#[test]
fn what_a_sentinel_leaves_whose_agent_is_killed_is_removed_by_the_next_one() {
    let sandbox = Sandbox::new();
    sandbox.leave_a_data_path();
    thread::scope(|scope| {
        let killer = scope.spawn(|| {
            let cgroup = until(|| cgroups(&sandbox).pop()).unwrap();
            let agent = cgroup.file_name().unwrap().to_str().unwrap().strip_prefix(NAME).unwrap();
            signal(agent.parse().unwrap(), Signal::SIGKILL);
            assert!(cgroup.exists());
        });
        let _running = sandbox.start_with(&["--max-endpoints", "30000", "--gate-ms", "500"]);
        killer.join().unwrap();
        assert_eq!(sandbox.state().unwrap().restarts["killed"], 1);
        assert_eq!(cgroups(&sandbox), Vec::<PathBuf>::new());
    });
}

#[test]
fn an_uninstallation_removes_what_sentinels_left_and_nothing_that_is_in_use() {
    let sandbox = Sandbox::new();
    sandbox.leave_a_data_path();
    let left = made(&sandbox, &format!("{NAME}1"));
    let (used, other) = (made(&sandbox, &format!("{NAME}2")), made(&sandbox, "evermesh-pods"));
    let mut process = Command::new("sleep").arg("1000").spawn().unwrap();
    fs::write(used.join("cgroup.procs"), process.id().to_string()).unwrap();
    let removed = sandbox.json(&["uninstall"]);
    let still = cgroups(&sandbox);
    process.kill().unwrap();
    process.wait().unwrap();
    let gone = fs::remove_dir(other).and_then(|()| fs::remove_dir(&used));
    assert!(removed["removed"].as_array().unwrap().contains(&left.to_str().unwrap().into()), "{removed:#}");
    assert_eq!((still, gone.is_ok()), (vec![used], true));
}
