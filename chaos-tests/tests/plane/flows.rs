//! Where pods' sockets lead, as it is told of them afterwards.

use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};

use evermesh_model::Snapshot;
use evermesh_sockets::{Flow, Protocol, flows};

use crate::{
    bench::{Bench, PORT, VIP4, VIP6, inside, key, service_at, workload},
    orphans::connected,
};

const LISTENED: u16 = 9090;

type Row = (String, Protocol, Option<SocketAddr>, SocketAddr, usize);

fn rows(bench: &Bench) -> Vec<Row> {
    let found = flows(&bench.pins()).unwrap();
    assert!(found.unseen.is_empty(), "{:?}", found.unseen);
    let row = |(Flow { pod, protocol, through, peer }, sockets)| {
        (pod, protocol, through.map(|through| through.frontend), peer, sockets)
    };
    found.sockets.into_iter().map(row).collect()
}

#[test]
fn it_is_told_through_which_service_sockets_lead_and_past_all_of_them() {
    let bench = Bench::new();
    let web = &bench.web[0];
    // Nobody accepts: a connection stands all the same.
    let _listener =
        web.netns().enter(|| Ok(TcpListener::bind((Ipv6Addr::UNSPECIFIED, LISTENED)).unwrap())).unwrap();
    let mut service = service_at(key(), &[VIP4, VIP6]);
    service.ports.get_mut(&PORT).unwrap().target_port = LISTENED;
    let (_plane, _) = bench.start(Some(&Snapshot::new([service], [workload(web)], []).unwrap()));
    [&bench.client, web].into_iter().for_each(|pod| bench.enrol(pod));
    assert_eq!(rows(&bench), []);

    let [own4, own6] = web.addresses().map(|ip| SocketAddr::new(ip, LISTENED));
    let [vip4, vip6, mapped] =
        [VIP4, VIP6, "::ffff:10.96.0.10"].map(|ip| SocketAddr::new(ip.parse().unwrap(), PORT));
    let standing = inside(&bench, &bench.client, || {
        let tcp = [own4, vip4, vip4, mapped, vip6].map(|target| TcpStream::connect(target).unwrap());
        (tcp, [own6, vip6].map(connected))
    });
    let flow = |protocol, asked, peer, sockets| ("client".to_owned(), protocol, asked, peer, sockets);
    assert_eq!(
        rows(&bench),
        [
            flow(Protocol::Tcp, None, own4, 1),
            flow(Protocol::Tcp, Some(vip4), own4, 3),
            flow(Protocol::Tcp, Some(vip6), own6, 1),
            flow(Protocol::Udp, None, own6, 1),
            flow(Protocol::Udp, Some(vip6), own6, 1),
        ]
    );
    drop(standing);
    assert_eq!(rows(&bench), []);
}
