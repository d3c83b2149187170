use std::{fs, os::fd::AsFd as _};

use evermesh_pins::{Table, sys};

use crate::sandbox::Sandbox;

#[test]
fn a_pin_of_another_layout_is_refused_and_left_alone() {
    let sandbox = Sandbox::new();
    sandbox.leave_a_data_path();
    let pin = sandbox.pins().frozen_map(Table::UdpOrigins);
    fs::remove_file(&pin).unwrap();
    let foreign = sys::array_create("foreign", 8).unwrap();
    sys::object_pin(foreign.map().as_fd(), &pin).unwrap();
    let standing = sandbox.standing();

    insta::assert_snapshot!(without_ids(&sandbox.run_in_vain(&[])));
    assert_eq!(sandbox.standing(), standing);
}

fn without_ids(text: &str) -> String {
    let without = |line: &str| match line.split_once("uses map ids [") {
        Some((before, after)) => {
            let after = after.split_once(']').unwrap().1;
            format!("{before}uses map ids [ids]{after}")
        }
        None => line.to_owned(),
    };
    text.lines().map(without).collect::<Vec<_>>().join("\n")
}
