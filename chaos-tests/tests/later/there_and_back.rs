use evermesh_chaos_tests::{
    binaries,
    oracle::{Event, Verdict},
    stage::under_traffic,
};
use evermesh_pins::layout::Known;

use crate::{FLAGS, LATER, known, sockets::Sockets};

/// Sockets that were opened before, and between, say the same peer at each stage.
#[test]
fn a_release_with_other_maps_is_upgraded_to_and_gone_back_from_unnoticed() {
    let later = binaries::release_after(LATER).unwrap();
    let report = under_traffic(&FLAGS, |stage, mesh| {
        let (mesh, before) = (&*mesh, Sockets::open(stage)?);
        let mut events = vec![Event::of("upgraded", || before.checked_while(|| mesh.upgrade(&later)))?];
        assert_eq!(known(mesh), None, "the maps are the later release's");
        let between = Sockets::open(stage)?;
        events.push(Event::of("stepped down", || {
            before.checked_while(|| between.checked_while(|| mesh.roll_back()))
        })?);
        assert_eq!(known(mesh), Some(Known::Own));
        let after = Sockets::open(stage)?;
        events.push(Event::of("upgraded", || after.checked_while(|| mesh.roll_back()))?);
        assert_eq!(known(mesh), None);
        [before, between, after].iter().for_each(Sockets::check);
        Ok(events)
    });
    let report = report.unwrap();
    println!("{report}");
    assert_eq!((report.verdict(), report.events.len()), (Verdict::Clean, 3), "{report}");
}
