//! A release that knew neither trials nor staged releases, and the one of today, take over from each other under traffic.

use std::path::Path;

use evermesh_chaos_tests::{
    Result, binaries,
    clock::now_ns,
    mesh::Mesh,
    oracle::{Event, Verdict},
    stage::under_traffic,
};

/// Of each kind.
const TIMES: usize = 3;
/// Those that both know.
const FLAGS: [&str; 2] = ["--watchdog-ms", "20000"];

#[test]
fn upgrades_from_an_earlier_release_and_downgrades_to_it_go_unnoticed() {
    let Some(earlier) = binaries::release_before().unwrap() else {
        println!("left out: this copy has no history to build the earlier release from");
        return;
    };
    let now = binaries::find("evermesh").unwrap();
    let report = under_traffic(&FLAGS, |_, mesh| {
        let mut events = Vec::new();
        for round in 0..TIMES {
            // As a new image does it, and as a machine does it that is short of memory.
            let killed = round % 2 == 1;
            events.push(change(mesh, "downgraded", &earlier, killed)?);
            events.push(change(mesh, "upgraded", now.parent().unwrap_or(&now), killed)?);
        }
        Ok(events)
    });
    let report = report.unwrap();
    println!("{report}");
    assert_eq!((report.verdict(), report.events.len()), (Verdict::Clean, 2 * TIMES), "{report}");
}

/// The processes of one release end, and those of the other start.
fn change(mesh: &mut Mesh<'_>, kind: &str, release: &Path, killed: bool) -> Result<Event> {
    let before = mesh.generation()?;
    if killed {
        mesh.kill_both()?
    } else {
        mesh.interrupt()?
    };
    mesh.set_release(release);
    let start_ns = now_ns();
    mesh.restart()?;
    let end_ns = now_ns();
    assert!(mesh.generation()? > before, "{kind}: the other release brings its own programs");
    Ok(Event { kind: kind.into(), start_ns, end_ns })
}
