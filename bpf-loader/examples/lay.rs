use evermesh_loader::{TableSizes, lower_all, tables};
use evermesh_model::*;
use std::{
    collections::BTreeMap,
    hint::black_box,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Instant,
};
fn key(n: u32) -> ServiceKey {
    ServiceKey { namespace: "scale".into(), hostname: format!("service-{n}.scale.svc.cluster.local").into() }
}
fn service(n: u32) -> Service {
    let address = IpAddr::V4(Ipv4Addr::from_bits(0x0a60_0000 + n));
    Service {
        name: format!("service-{n}").into(),
        key: key(n),
        vips: vec![VirtualIp { network: Default::default(), address }],
        ports: BTreeMap::from([(80, Port { target_port: 8080, protocols: vec![Protocol::Tcp] })]),
        ..Service::default()
    }
}
fn workload(n: u32, address: u32, service: u32) -> Workload {
    Workload {
        uid: WorkloadUid::new(format!("cluster-1//Pod/scale/service-{service}-{n:08x}")),
        name: format!("service-{service}-{n:08x}").into(),
        namespace: "scale".into(),
        addresses: vec![IpAddr::V4(Ipv4Addr::from_bits(0x0c00_0000 + address))].into(),
        node: format!("node-{}", n % 1000).into(),
        services: [(key(service), BTreeMap::new())].into(),
        ..Workload::default()
    }
}
fn main() {
    let count: u32 = std::env::args().nth(1).unwrap().parse().unwrap();
    let services: Vec<_> = (0..=count).map(|n| Arc::new(service(n))).collect();
    let small = (0..count).flat_map(|n| (0..20).map(move |_| n));
    let keys = small.chain((0..10_000).map(|_| count));
    let workloads: Vec<_> = (0..).zip(keys).map(|(n, s)| Arc::new(workload(n, n, s))).collect();
    let t = Instant::now();
    let snapshot = Snapshot::of_shared(services.iter().cloned(), workloads.iter().cloned(), []).unwrap();
    println!("snapshot {:?}", t.elapsed());
    let endpoints = count * 20 + 10_000;
    for _ in 0..std::env::args().nth(2).map_or(6, |n| n.parse().unwrap()) {
        let t = Instant::now();
        for l in lower_all(&snapshot, &Place::default()) {
            black_box(l);
        }
        let a = t.elapsed();
        let mut state = tables::State::empty(TableSizes { services: count + 1, endpoints: endpoints + 100 });
        let t = Instant::now();
        let mut slots = vec![0u64; endpoints as usize * 4];
        let mut records = vec![evermesh_abi::Endpoint::default(); endpoints as usize + 10];
        let mut n = 0;
        tables::plan_in_parts(
            &mut state,
            tables::Change::everything(&snapshot, &Place::default()),
            |stores| {
                for store in stores {
                    n += 1;
                    match *store {
                        tables::Store::Slot { slot, endpoint } => slots[slot as usize] = endpoint.into(),
                        tables::Store::Endpoint { id, record } => records[id as usize] = record,
                        _ => {}
                    }
                }
                Ok::<_, tables::Full>(())
            },
        )
        .unwrap();
        black_box((&slots, &records));
        let b = t.elapsed();
        println!("lower {a:?} all {b:?} stores {n}");
    }
}
