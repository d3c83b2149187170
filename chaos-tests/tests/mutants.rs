//! What traffic would notice, the oracle reports: else "unnoticed" would mean nothing.

use evermesh_chaos_tests::{
    Result,
    mesh::Mesh,
    oracle::{Event, Verdict},
    stage::{Stage, under_traffic},
};

/// Sockets that clients keep: connected UDP and unconnected, each by IPv4, by IPv6 and mapped. One that was opened while nothing translated
/// may be asked once more afterwards.
const KEPT_SOCKETS: u64 = 6;

#[test]
fn a_data_path_that_is_removed_and_made_again_is_noticed() {
    let report = under_traffic(&[], |stage, mesh| Ok(vec![remove_and_make(stage, mesh)?])).unwrap();
    assert_eq!(report.verdict(), Verdict::Failed, "{report}");
    assert!(report.failures_with("wrong server trap") > 0, "connections went through untranslated: {report}");
    assert!(report.failures_with("not refused") > 0, "what must be refused was not: {report}");
    let apart = report.failed() - report.events[0].failures;
    assert!(apart <= KEPT_SOCKETS, "before and after there is nothing else: {report}");
}

fn remove_and_make(stage: &Stage, mesh: &mut Mesh<'_>) -> Result<Event> {
    Event::of("data path removed", || {
        mesh.interrupt()?;
        mesh.uninstall()?;
        mesh.restart()?;
        stage.enrolled().try_for_each(|pod| mesh.pod_add(pod))
    })
}
