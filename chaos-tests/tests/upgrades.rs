//! Agents that bring other kernel programs take over under traffic, from each other and back; those that are no good
//! leave what stands.

use evermesh_chaos_tests::{
    Result, binaries,
    mesh::Mesh,
    oracle::{Event, Report, Verdict},
    stage::under_traffic,
};

/// Of each kind, with whole agents; `generations` has more of them.
const TIMES: usize = 4;
const FLAGS: [&str; 4] = ["--gate-ms", "200", "--watchdog-ms", "120000"];

/// Ends the agent as an operator would, and starts one with other programs or in another size.
fn change(mesh: &mut Mesh<'_>, kind: &str, programs: Option<&str>, flags: &[&str]) -> Result<Event> {
    mesh.set_programs(programs.map(binaries::variant).transpose()?);
    mesh.set_flags(&[&FLAGS[..], flags].concat());
    mesh.interrupt()?;
    Event::of(kind, || mesh.restart().map(drop))
}

fn clean(report: &Report) {
    println!("{report}");
    assert_eq!(report.verdict(), Verdict::Clean, "{report}");
}

#[test]
fn upgrades_downgrades_and_other_sizes_go_unnoticed() {
    let mut generation = 1;
    let report = under_traffic(&FLAGS, |_, mesh| {
        let mut events = Vec::new();
        for _ in 0..TIMES {
            events.push(change(mesh, "upgraded", Some("other"), &[])?);
            events.push(change(mesh, "resized", Some("other"), &["--max-endpoints", "40000"])?);
            events.push(change(mesh, "downgraded", None, &[])?);
            assert_eq!(mesh.generation()?, Some(generation + 3));
            generation += 3;
        }
        Ok(events)
    });
    let report = report.unwrap();
    clean(&report);
    assert_eq!(report.events.len(), 3 * TIMES);
}

/// What the verifier refuses, what leads one flow in a hundred astray, and what never forgets a socket, meet no traffic.
#[test]
fn programs_that_are_no_good_leave_what_stands() {
    let report = under_traffic(&FLAGS, |_, mesh| {
        let mut events = Vec::new();
        for (variant, reason) in [
            ("rejected", "the kernel refused the program"),
            ("misroute", "failed in rehearsal"),
            ("forgetful_release", "failed in rehearsal: sock_release"),
        ] {
            events.push(change(mesh, variant, Some(variant), &[])?);
            let notes = mesh.notes()?;
            assert_eq!(mesh.generation()?, Some(1));
            assert!(notes.iter().any(|note| note.contains(reason)), "{notes:?}");
        }
        events.push(change(mesh, "upgraded after all", Some("other"), &[])?);
        assert!(mesh.generation()? > Some(1));
        Ok(events)
    });
    clean(&report.unwrap());
}
