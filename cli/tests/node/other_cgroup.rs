use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use crate::sandbox::Sandbox;

fn id(cgroup: &Path) -> u64 {
    fs::metadata(cgroup).unwrap().ino()
}

#[test]
fn a_start_at_another_cgroup_is_refused_and_nothing_moves() {
    let sandbox = Sandbox::new();
    sandbox.leave_a_data_path();
    let before = sandbox.standing();
    let other = sandbox.cgroup().with_added_extension("other");
    fs::create_dir(&other).unwrap();
    let (hooked, asked_for) = (id(sandbox.cgroup()), id(&other));
    let refused = sandbox.run_in_vain_at(other.to_str(), &[]);
    fs::remove_dir(&other).unwrap();
    assert!(refused.starts_with("exit code 78"), "{refused}");
    let each = format!("hooks the cgroup with id {hooked}, not [cgroup].other (id {asked_for})");
    assert_eq!(refused.matches(&each).count(), 9, "{refused}");
    assert_eq!(sandbox.standing(), before);
}
