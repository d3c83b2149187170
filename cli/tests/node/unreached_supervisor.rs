use std::{fs, thread};

use evermesh_pins::Inventory;

use crate::sandbox::{Sandbox, until};

/// It lives, and cannot be asked: by the agent's own judgement the new tables would stay.
#[test]
fn without_the_supervisors_socket_a_new_generation_is_rolled_back() {
    let sandbox = Sandbox::new();
    sandbox.leave_a_data_path();
    let socket = sandbox.path("run/supervisor.sock");
    assert!(!socket.exists());
    let remover = thread::spawn(move || until(|| fs::remove_file(&socket).ok()).unwrap());
    let running = sandbox.start_with(&["--max-endpoints", "30000"]);
    remover.join().unwrap();
    let inventory = Inventory::read(&sandbox.pins()).unwrap();
    assert_eq!((inventory.live, inventory.generations.len()), (Some(1), 1));
    let log = fs::read_to_string(sandbox.path("log")).unwrap();
    assert!(log.contains("no evermesh supervisor listens on"), "{log}");
    drop(running);
}
