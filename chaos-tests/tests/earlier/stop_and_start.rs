use std::path::Path;

use evermesh_chaos_tests::{Result, mesh::Mesh, oracle::Verdict, stage::under_traffic};

use crate::{FLAGS, change, releases, times};

/// The processes of one release end, and those of the other start, with room for more: as a new image does it, and as a machine
/// does it that is short of memory.
#[test]
fn upgrades_from_an_earlier_release_and_downgrades_to_it_go_unnoticed() {
    let Some([now, earlier]) = releases() else { return };
    let report = under_traffic(&FLAGS, |_, mesh| {
        let mut events = Vec::new();
        for round in 0..times() {
            let killed = round % 2 == 1;
            events.push(change(mesh, "downgraded", |mesh| restart(mesh, &earlier, killed))?);
            let room = (20_000 + 1_000 * round).to_string();
            mesh.set_flags(&[&FLAGS[..], &["--max-endpoints", &room]].concat());
            events.push(change(mesh, "resized", |mesh| restart(mesh, &earlier, killed))?);
            events.push(change(mesh, "upgraded", |mesh| restart(mesh, &now, killed))?);
            mesh.set_flags(&FLAGS);
        }
        Ok(events)
    });
    let report = report.unwrap();
    println!("{report}");
    assert_eq!((report.verdict(), report.events.len()), (Verdict::Clean, 3 * times()), "{report}");
}

fn restart(mesh: &mut Mesh<'_>, release: &Path, killed: bool) -> Result<()> {
    if killed {
        mesh.kill_both()?
    } else {
        mesh.interrupt()?
    };
    mesh.set_release(release);
    mesh.restart().map(drop)
}
