//! The mesh may die at any moment, in any way, and traffic does not notice.

use std::time::Duration;

use evermesh_chaos_tests::{
    faults::{Schedule, seed},
    oracle::Verdict,
    stage::under_traffic,
};

const KILLS: usize = 300;
const PAUSE_MAX: Duration = Duration::from_millis(200);
const FLAGS: [&str; 2] = ["--watchdog-ms", "300"];

#[test]
fn three_hundred_kills_go_unnoticed() {
    let schedule = Schedule::new(seed(), KILLS, PAUSE_MAX);
    let report = under_traffic(&FLAGS, |_, mesh| schedule.inflict(mesh)).unwrap();
    println!("{report}");
    assert_eq!(report.verdict(), Verdict::Clean);
    assert_eq!(report.events.len(), KILLS);
}
