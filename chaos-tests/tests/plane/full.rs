//! A mesh that the tables have no room for.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read as _,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
};

use evermesh_chaos_tests::server::{NAME_LEN, Name};
use evermesh_loader::{Config, DataPlane, TableSizes};
use evermesh_model::{ServiceKey, Snapshot, Workload, WorkloadUid};

use crate::bench::{Bench, PORT, SIZES, VIP4, inside, service_at};

/// The bench's own mesh, beside a service of more workloads than there is room for.
fn crowd(bench: &Bench, members: usize) -> Snapshot {
    let mesh = bench.mesh(members);
    let key = ServiceKey { namespace: "demo".into(), hostname: "crowd.demo.svc.cluster.local".into() };
    let one = |n: u32| Workload {
        uid: WorkloadUid::new(format!("demo/crowd-{n}")),
        addresses: [IpAddr::V4(Ipv4Addr::from_bits(0x0afb_0000 + n))].into_iter().collect(),
        services: [(key.clone(), BTreeMap::new())].into(),
        ..Workload::default()
    };
    let services = mesh.services().map(|one| one.as_ref().clone());
    let workloads = mesh.workloads().map(|one| one.as_ref().clone());
    Snapshot::new(
        services.chain([service_at(key.clone(), &["10.96.0.11"])]).collect::<Vec<_>>(),
        workloads.chain((0..SIZES.endpoints).map(one)).collect::<Vec<_>>(),
        [],
    )
    .unwrap()
}

/// Who answers at the bench's virtual IP.
fn answers(bench: &Bench) -> BTreeSet<String> {
    let target = SocketAddr::new(VIP4.parse().unwrap(), PORT);
    let ask = |_| {
        let mut name = [0; NAME_LEN];
        TcpStream::connect(target).unwrap().read_exact(&mut name).unwrap();
        Name::from_bytes(name).to_string()
    };
    inside(bench, &bench.client, || (0..40).map(ask).collect())
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn what_does_not_fit_is_refused_by_name_and_what_stands_goes_on_until_there_is_room() {
    let bench = Bench::new();
    let (mut plane, _) = bench.start(Some(&bench.mesh(2)));
    bench.enrol(&bench.client);
    for _ in 0..2 {
        let refused = plane.apply(&crowd(&bench, 1)).unwrap_err().to_string();
        assert!(refused.contains("`endpoints` is full") && refused.contains("--max-endpoints"), "{refused}");
        assert_eq!(answers(&bench), names(&["web-1", "web-2"]));
    }
    plane.apply(&bench.mesh(1)).unwrap();
    assert_eq!(answers(&bench), names(&["web-1"]));
    drop(plane);
    let roomier = Config { sizes: TableSizes { endpoints: 4096, ..SIZES }, ..bench.config() };
    let (mut plane, _) = DataPlane::start(roomier, Some(&crowd(&bench, 2))).unwrap();
    plane.commit().unwrap();
    assert_eq!(answers(&bench), names(&["web-1", "web-2"]));
}
