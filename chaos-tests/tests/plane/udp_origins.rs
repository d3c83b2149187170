//! What is remembered of unconnected UDP sockets where room is short.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{SocketAddr, UdpSocket},
    os::fd::AsFd,
    time::Duration,
};

use evermesh_abi::{Origin, UDP_ORIGINS_PER_SOCKET, UdpOrigin, UdpOriginKey, UdpOriginKind};
use evermesh_loader::{Config, DataPlane, TableSizes};
use evermesh_model::{Port, Protocol, Service, Snapshot};
use evermesh_pins::{
    Inventory, Table,
    sys::{map_delete, map_pairs},
};
use nix::errno::Errno;
use rustix::net::sockopt::socket_cookie;

use crate::bench::{Bench, PORT, SIZES, TARGET, VIP4, inside, key, service_at, workload};

/// Room for services on many ports.
const MANY: TableSizes = TableSizes { services: 4096, endpoints: 8192, ..SIZES };
const PATIENCE: Option<Duration> = Some(Duration::from_secs(2));

fn service() -> SocketAddr {
    SocketAddr::new(VIP4.parse().unwrap(), PORT)
}

fn udp() -> UdpSocket {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.set_read_timeout(PATIENCE).unwrap();
    socket
}

/// Who answers, and as whom.
fn ask(socket: &UdpSocket, target: SocketAddr) -> (String, SocketAddr) {
    let mut answer = [0; 64];
    socket.send_to(b"hello", target).unwrap();
    let (length, from) = socket.recv_from(&mut answer).unwrap();
    (String::from_utf8_lossy(&answer[..length]).into_owned(), from)
}

fn ready(sizes: TableSizes, mesh: impl FnOnce(&Bench) -> Snapshot) -> (Bench, DataPlane) {
    let bench = Bench::new();
    let (plane, _) = DataPlane::start(Config { sizes, ..bench.config() }, Some(&mesh(&bench))).unwrap();
    bench.enrol(&bench.client);
    (bench, plane)
}

/// The maps in which it is remembered.
struct Memory(Inventory);

impl Memory {
    fn of(bench: &Bench) -> Self {
        Self(Inventory::read(&bench.pins()).unwrap())
    }

    fn origins(&self) -> Vec<(u64, Origin)> {
        map_pairs(self.0.frozen[&Table::Origins].fd.as_fd()).unwrap()
    }

    fn pairs(&self) -> Vec<(UdpOriginKey, UdpOrigin)> {
        map_pairs(self.0.frozen[&Table::UdpOrigins].fd.as_fd()).unwrap()
    }

    /// A socket that has asked the service, and whose origin has made room for others, as the one that was unused longest does.
    fn without_origin(&self) -> UdpSocket {
        let socket = udp();
        ask(&socket, service());
        let origins = self.0.frozen[&Table::Origins].fd.as_fd();
        assert!(map_delete(origins, &socket_cookie(&socket).unwrap()).unwrap(), "it has none");
        socket
    }
}

/// Answers seemed to come from the endpoint from then on, and what was remembered stayed for ever.
#[test]
fn a_socket_whose_origin_made_room_for_others_gets_it_back_with_its_next_datagram() {
    let (bench, _plane) = ready(SIZES, |bench| bench.mesh(2));
    let memory = Memory::of(&bench);
    inside(&bench, &bench.client, || {
        let socket = memory.without_origin();
        let (server, _) = ask(&socket, service());
        for _ in 0..20 {
            assert_eq!(ask(&socket, service()), (server.clone(), service()));
        }
        drop(socket);
        assert_eq!((memory.origins(), memory.pairs()), (vec![], vec![]));
    });
}

#[test]
fn a_socket_whose_origin_made_room_for_others_leaves_nothing_behind() {
    let (bench, _plane) = ready(SIZES, |bench| bench.mesh(2));
    let memory = Memory::of(&bench);
    inside(&bench, &bench.client, || {
        drop(memory.without_origin());
        assert_eq!(memory.pairs(), []);
    });
}

/// Of more, the one that it began with first is asked anew.
#[test]
fn a_socket_remembers_whom_it_asked_for_of_1024_services() {
    let services = 1..=u16::try_from(UDP_ORIGINS_PER_SOCKET).unwrap() + 1;
    let (bench, _plane) = ready(MANY, |bench| offering(bench, *services.end()));
    let memory = Memory::of(&bench);
    let remembered = || {
        let is_frontend = |key: &UdpOriginKey| key.kind == UdpOriginKind::Frontend as u8;
        let pairs = memory.pairs().into_iter().filter(|(key, _)| is_frontend(key));
        pairs.map(|(key, _)| u16::from_be(key.port)).collect::<BTreeSet<_>>()
    };
    inside(&bench, &bench.client, || {
        let socket = udp();
        let answers_as_asked = |port: u16| {
            let target = SocketAddr::new(service().ip(), port);
            assert_eq!(ask(&socket, target).1, target);
        };
        services.clone().for_each(answers_as_asked);
        assert_eq!(remembered(), services.clone().skip(1).collect());
        answers_as_asked(*services.start());
        assert_eq!(remembered(), services.filter(|port| *port != 2).collect());
        drop(socket);
        assert_eq!((memory.origins(), memory.pairs()), (vec![], vec![]));
    });
}

/// Each attempt took an entry of what had become free meanwhile, and none was ever enough for a pair.
#[test]
fn where_there_is_no_room_for_a_pair_nothing_is_left_of_it() {
    let (bench, _plane) = ready(TableSizes { udp_origins: 1025, ..MANY }, |bench| offering(bench, 511));
    let memory = Memory::of(&bench);
    inside(&bench, &bench.client, || {
        let (full, late) = (udp(), udp());
        for port in 1..=511 {
            full.send_to(b"hello", SocketAddr::new(service().ip(), port)).unwrap();
        }
        assert_eq!(memory.pairs().len(), 1024);
        for _ in 0..20 {
            let refused = late.send_to(b"hello", service()).unwrap_err();
            assert_eq!(refused.raw_os_error(), Some(Errno::ENOBUFS as i32), "{refused}");
            assert_eq!(memory.pairs().len(), 1024);
        }
        drop(full);
        assert_eq!(ask(&late, service()).1, service());
    });
}

/// Two members, and a service on so many ports of which all lead to the same one.
fn offering(bench: &Bench, ports: u16) -> Snapshot {
    let ports = (1..=ports).map(|port| (port, Port::new(TARGET, vec![Protocol::Udp])));
    let service = Service { ports: ports.collect::<BTreeMap<_, _>>(), ..service_at(key(), &[VIP4]) };
    Snapshot::new([service], bench.web.iter().map(workload), []).unwrap()
}
