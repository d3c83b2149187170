//! Every way in which the processes can end and be there again, a few times each: short enough for an emulated machine.

use evermesh_chaos_tests::{
    Result,
    faults::Fault,
    mesh::Mesh,
    oracle::{Event, Verdict},
    stage::under_traffic,
};

const TIMES: usize = 3;
/// So long that no agent is replaced because the machine is slow.
const FLAGS: [&str; 2] = ["--watchdog-ms", "120000"];
const WAYS: [fn(&mut Mesh<'_>) -> Result<Event>; 4] = [
    |mesh| Fault::KillAgent.inflict(mesh),
    |mesh| Fault::KillSupervisor.inflict(mesh),
    |mesh| Fault::KillBoth.inflict(mesh),
    stop_and_start,
];

#[test]
fn restarts_of_every_kind_go_unnoticed() {
    let report = under_traffic(&FLAGS, |_, mesh| {
        WAYS.iter().flat_map(|way| [way; TIMES]).map(|way| way(mesh)).collect()
    });
    let report = report.unwrap();
    println!("{report}");
    assert_eq!((report.verdict(), report.events.len()), (Verdict::Clean, TIMES * WAYS.len()), "{report}");
}

fn stop_and_start(mesh: &mut Mesh<'_>) -> Result<Event> {
    Event::of("stopped and started", || {
        mesh.interrupt()?;
        mesh.restart().map(drop)
    })
}
