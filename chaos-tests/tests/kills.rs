//! The mesh may die at any moment, in any way, and traffic does not notice.

use std::time::Duration;

use evermesh_chaos_tests::{
    faults::{Schedule, seed},
    mesh::Mesh,
    oracle::Verdict,
    sandbox::Sandbox,
    stage::{Stage, Traffic, config},
};

const KILLS: usize = 300;
const PAUSE_MAX: Duration = Duration::from_millis(200);
const WATCHDOG_MS: &str = "300";
const AT_MOST: Duration = Duration::from_mins(20);

#[test]
fn three_hundred_kills_go_unnoticed() {
    let schedule = Schedule::new(seed(), KILLS, PAUSE_MAX);
    let sandbox = Sandbox::new().unwrap();
    let stage = Stage::new(&sandbox).unwrap();
    let mut mesh = Mesh::start(&sandbox, &config::with(&stage.web), &["--watchdog-ms", WATCHDOG_MS]).unwrap();
    stage.enrolled().try_for_each(|pod| mesh.pod_add(pod)).unwrap();
    let traffic = Traffic::start(&stage, AT_MOST).unwrap();
    let events = schedule.inflict(&mut mesh).unwrap();
    let report = traffic.judge(&stage, events).unwrap();
    println!("{report}");
    assert_eq!(report.verdict(), Verdict::Clean);
    assert_eq!(report.events.len(), KILLS);
    mesh.interrupt().unwrap();
    mesh.uninstall().unwrap();
    sandbox.close().unwrap();
}
