//! Endpoints come and go, tables grow and shrink, and traffic does not notice.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use evermesh_chaos_tests::{
    Result,
    faults::{random, seed},
    mesh::Mesh,
    oracle::{Event, Verdict},
    pod::Pod,
    stage::{Stage, config, under_traffic},
    wait,
};
use rand::seq::IndexedRandom;

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn sixty_changes_of_the_endpoints_go_unnoticed() {
    let mut random = random(seed());
    let report = under_traffic(&[], |stage, mesh| {
        let mut draw = |n: usize| stage.web.sample(&mut random, 1 + n % stage.web.len()).collect();
        (0..60).map(|n| change_endpoints(mesh, &draw(n))).collect()
    });
    let report = report.unwrap();
    println!("{report}");
    assert_eq!(report.verdict(), Verdict::Clean);
}

fn change_endpoints(mesh: &Mesh<'_>, pods: &Vec<&Pod>) -> Result<Event> {
    let expected: BTreeSet<IpAddr> = pods.iter().flat_map(|pod| pod.addresses()).collect();
    Event::of("endpoints changed", || {
        mesh.write_config(&config::with(pods.iter().copied()))?;
        wait::until("the endpoints to change", PATIENCE, || (addresses(mesh).ok()? == expected).then_some(()))
    })
}

fn addresses(mesh: &Mesh<'_>) -> Result<BTreeSet<IpAddr>> {
    Ok(mesh.endpoints()?.into_iter().map(|endpoint| endpoint.address).collect())
}

#[test]
fn four_table_sizes_go_unnoticed() {
    let report = under_traffic(&[], |stage, mesh| (0..4).map(|n| resize(stage, mesh, n)).collect()).unwrap();
    println!("{report}");
    assert_eq!(report.verdict(), Verdict::Clean);
}

/// Each size differs from the one before, up and down, and makes a new generation. What sockets asked for is carried over.
fn resize(stage: &Stage, mesh: &mut Mesh<'_>, n: u32) -> Result<Event> {
    let before = mesh.generation()?;
    let size = (1000 + 100 * (n * 3 % 4)).to_string();
    let origins = (65_536 << (n % 2)).to_string();
    mesh.set_flags(&["--max-services", &size, "--max-endpoints", &size, "--max-origins", &origins]);
    let event = Event::of("tables resized", || {
        mesh.kill_supervisor()?;
        mesh.restart().map(drop)
    })?;
    assert!(mesh.generation()? > before, "a size of {size} changes the generation");
    let expected = stage.web.iter().flat_map(Pod::addresses).collect();
    assert_eq!(addresses(mesh)?, expected);
    Ok(event)
}
