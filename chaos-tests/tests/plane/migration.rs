//! The frozen maps that programs write are carried over into others while they are in use.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket},
    os::fd::AsFd as _,
    time::Duration,
};

use evermesh_abi::{Origin, UdpOrigin, UdpOriginKey};
use evermesh_chaos_tests::oracle::{Event, Verdict};
use evermesh_loader::{Config, DataPlane, How, Started, TableSizes};
use evermesh_pins::{FrozenMap, Table, sys};

use crate::{
    bench::{Bench, PORT, SIZES, VIP4, VIP6, inside},
    switch::{Scene, under_traffic},
};

const SMALL: u32 = 8192;
const LARGE: u32 = 65_536;
const PATIENCE: Duration = Duration::from_secs(25);

#[test]
fn maps_that_are_resized_back_and_forth_under_traffic_go_unnoticed() {
    let report = under_traffic(|scene| {
        let mut events = Vec::new();
        for room in [LARGE, SMALL, LARGE] {
            let mut change = |kind, then: fn(&mut DataPlane)| {
                events.push(Event::during(kind, || resize(scene, room, then)))
            };
            change("rolled back", |plane| plane.roll_back("a test").unwrap());
            change("carried over", |plane| plane.commit().unwrap());
        }
        events.push(Event::during("stepped down", || assert!(scene.plane().step_down().is_ok())));
        events
    });
    println!("{report}");
    assert_eq!((report.verdict(), report.events.len()), (Verdict::Clean, 7), "{report}");
}

fn resize(scene: &mut Scene, room: u32, then: fn(&mut DataPlane)) {
    scene.plane = None;
    let config = Config { sizes: with_room(room), ..scene.config.clone() };
    let (plane, started) = DataPlane::start(config, Some(&scene.mesh)).unwrap();
    assert!(started.on_trial(), "{started:?}");
    then(scene.plane.insert(plane));
}

fn with_room(room: u32) -> TableSizes {
    TableSizes { origins: room, udp_origins: room, ..SIZES }
}

/// Those that are idle all the while, and those that are opened at each stage.
#[test]
fn every_socket_is_shown_what_it_asked_for_until_it_is_closed() {
    let bench = Bench::new();
    drop(start(&bench, SMALL));
    bench.enrol(&bench.client);
    let idle = Sockets::open(&bench);
    let mut opened = Vec::new();
    for (room, stays) in [(LARGE, false), (LARGE, true), (SMALL, true)] {
        let (mut plane, started) = start(&bench, room);
        assert!(started.on_trial(), "{started:?}");
        opened.push(Sockets::open(&bench));
        opened.iter().for_each(Sockets::check);
        if stays {
            plane.commit().unwrap()
        } else {
            plane.roll_back("a test").unwrap()
        }
        opened.push(Sockets::open(&bench));
        opened.iter().for_each(Sockets::check);
        assert_eq!(stands(&bench), [if stays { room } else { SMALL }; 2]);
        opened.remove(0);
    }
    idle.check();
    drop((idle, opened));
    assert_eq!(in_use(&bench), [0, 0], "something outlives its socket");
}

#[test]
fn what_can_be_carried_over_is_not_lost_although_that_was_declared() {
    let bench = Bench::new();
    drop(start(&bench, SMALL));
    bench.enrol(&bench.client);
    let sockets = Sockets::open(&bench);
    let accept_loss = Table::CARRIED.to_vec();
    let config = Config { sizes: with_room(LARGE), accept_loss, ..bench.config() };
    let (mut plane, started) = DataPlane::start(config, Some(&bench.mesh(2))).unwrap();
    plane.commit().unwrap();
    sockets.check();
    let note = |table| format!("{table} keeps what stands in it, although its loss was declared");
    assert_eq!(started.notes, Table::CARRIED.map(note));
    assert_eq!((stands(&bench), plane.take_notes()), ([LARGE; 2], vec![]));
}

#[test]
fn what_steps_down_can_come_up_again() {
    let bench = Bench::new();
    let (mut plane, _) = start(&bench, SMALL);
    bench.enrol(&bench.client);
    let sockets = Sockets::open(&bench);
    assert_eq!(plane.step_down().unwrap(), 2);
    sockets.check();
    let meanwhile = Sockets::open(&bench);
    plane.apply(&bench.mesh(1)).unwrap();
    drop(plane);
    let (mut plane, started) = start(&bench, SMALL);
    assert_eq!(started.how, How::Changed { from: 2, reason: "other programs".into() });
    plane.commit().unwrap();
    let sockets = [sockets, meanwhile];
    sockets.iter().for_each(Sockets::check);
    drop(sockets);
    assert_eq!(in_use(&bench), [0, 0], "something outlives its socket");
}

#[test]
fn a_map_that_would_not_hold_what_is_in_use_keeps_its_size() {
    let bench = Bench::new();
    drop(start(&bench, SMALL));
    bench.enrol(&bench.client);
    let sockets: Vec<_> = (0..4).map(|_| Sockets::open(&bench)).collect();
    let (plane, started) = start(&bench, 16);
    assert_eq!((plane.generation(), &started.how), (1, &How::Adopted));
    let [origins, udp_origins] = in_use(&bench);
    let note = |table, used| {
        format!("{table} stays at 8192 entries: {used} are in use, and 16 are room for 12 only")
    };
    assert_eq!(started.notes, [note("origins", origins), note("udp_origins", udp_origins)]);
    assert_eq!(stands(&bench), [SMALL; 2]);
    sockets.iter().for_each(Sockets::check);
}

#[test]
fn a_map_that_fills_up_while_it_is_tried_is_counted_and_costs_no_socket() {
    let bench = Bench::new();
    drop(start(&bench, SMALL));
    bench.enrol(&bench.client);
    let (mut plane, started) = start(&bench, 16);
    assert!(started.on_trial(), "{started:?}");
    let failed = |plane: &mut DataPlane| plane.report().unwrap().unwrap().now.failed;
    assert_eq!(failed(&mut plane), 0);
    let sockets: Vec<_> = (0..6).map(|_| Sockets::open(&bench)).collect();
    assert!(failed(&mut plane) > 0, "{:?} are in use, and nothing was counted", in_use(&bench));
    plane.roll_back("a test").unwrap();
    sockets.iter().for_each(Sockets::check);
    assert_eq!(stands(&bench), [SMALL; 2]);
}

fn start(bench: &Bench, room: u32) -> (DataPlane, Started) {
    let config = Config { sizes: with_room(room), ..bench.config() };
    DataPlane::start(config, Some(&bench.mesh(2))).unwrap()
}

/// One of each kind that asks for the service and remembers it, by each address family.
struct Sockets(Vec<(SocketAddr, TcpStream, UdpSocket, UdpSocket)>);

impl Sockets {
    fn open(bench: &Bench) -> Self {
        let opened = inside(bench, &bench.client, || [VIP4, VIP6].map(|vip| open(vip.parse().unwrap())));
        let sockets = Self(opened.into());
        sockets.check();
        sockets
    }

    fn check(&self) {
        for (service, stream, connected, free) in &self.0 {
            assert_eq!(stream.peer_addr().unwrap(), *service);
            assert_eq!(connected.peer_addr().unwrap(), *service);
            let mut answer = [0; 1024];
            connected.send(b"hello").unwrap();
            assert!(connected.recv(&mut answer).unwrap() > 5);
            free.send_to(b"hello", service).unwrap();
            assert_eq!(free.recv_from(&mut answer).unwrap().1, *service);
        }
    }
}

fn open(vip: IpAddr) -> (SocketAddr, TcpStream, UdpSocket, UdpSocket) {
    let service = SocketAddr::new(vip, PORT);
    let any = if vip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { IpAddr::from(Ipv6Addr::UNSPECIFIED) };
    let [connected, free] = [(); 2].map(|()| {
        let socket = UdpSocket::bind((any, 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    });
    connected.connect(service).unwrap();
    (service, TcpStream::connect(service).unwrap(), connected, free)
}

/// Sizes of `origins` and `udp_origins`.
fn stands(bench: &Bench) -> [u32; 2] {
    Table::CARRIED.map(|table| FrozenMap::open(&bench.pins(), table).unwrap().info.max_entries)
}

/// How many of their elements are in use.
fn in_use(bench: &Bench) -> [usize; 2] {
    let [origins, udp] = Table::CARRIED.map(|table| FrozenMap::open(&bench.pins(), table).unwrap().fd);
    let origins = sys::map_pairs::<u64, Origin>(origins.as_fd()).unwrap().len();
    [origins, sys::map_pairs::<UdpOriginKey, UdpOrigin>(udp.as_fd()).unwrap().len()]
}
