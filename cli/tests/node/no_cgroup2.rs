use std::{fs, thread};

use evermesh_pins::host;
use nix::mount::{MntFlags, umount2};

use crate::sandbox::{Sandbox, private_mounts};

#[test]
fn a_directory_that_is_no_cgroup_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.leave_a_data_path();
    let standing = sandbox.standing();
    let told = sandbox.run_in_vain_at(sandbox.path("state").to_str(), &[]);
    let mounted = host::cgroup2_mount().unwrap().unwrap();
    insta::assert_snapshot!(told.replace(mounted.to_str().unwrap(), "[cgroup2]"));
    assert_eq!(sandbox.standing(), standing);
}

#[test]
fn a_host_without_cgroup2_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.leave_a_data_path();
    let standing = sandbox.standing();
    // In mounts of its own: the sandbox still needs its cgroup afterwards.
    let elsewhere = || {
        private_mounts();
        for mounted in mounts_of_this_thread("cgroup2") {
            umount2(mounted.as_str(), MntFlags::MNT_DETACH).unwrap();
        }
        sandbox.run_in_vain_at(None, &[])
    };
    let told = thread::scope(|scope| scope.spawn(elsewhere).join().unwrap());
    insta::assert_snapshot!(told);
    assert_eq!(sandbox.standing(), standing);
}

fn mounts_of_this_thread(kind: &str) -> Vec<String> {
    let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    let of_kind = mounts.lines().filter(|line| line.contains(&format!(" - {kind} ")));
    of_kind.map(|line| line.split(' ').nth(4).unwrap().to_owned()).collect()
}
