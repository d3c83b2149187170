//! Two thousand histories of two hundred steps in the kernel. After each step the pinned tables say what the reference
//! says, by both protocols, and the kernel's programs pick what it says.

use std::{
    io::ErrorKind,
    net::{IpAddr, SocketAddr, UdpSocket},
    ops::Range,
    os::fd::{AsFd, OwnedFd},
    thread,
};

use evermesh_abi::{ORIGIN_CONNECTED, Origin};
use evermesh_loader::{
    DataPlane,
    tables::{Store, TableWriter},
};
use evermesh_model::{Place, Protocol, Snapshot};
use evermesh_pins::{GenerationPins, Inventory, PinDir, Table, TablesView, sys};
use evermesh_reference::history::NODE;

use super::{Course, history, ready};
use crate::{
    agreement::disagreement,
    bench::{Bench, inside},
    listeners::Met,
};

const STEPS: usize = 200;
/// What was freed waits for a barrier, of which each takes milliseconds.
const RECLAIM_EVERY: usize = 50;
/// Destinations asked after each step besides those that it changed.
const SAMPLE: usize = 3;

/// Connects by UDP, to nobody who would have to listen, and looks up whom the kernel's programs took.
struct Datagrams {
    origins: OwnedFd,
    ipv4: (UdpSocket, u64),
    ipv6: (UdpSocket, u64),
}

impl Datagrams {
    /// In the namespace of this thread.
    fn new(bench: &Bench) -> Self {
        let mut inventory = Inventory::read(&bench.pins()).unwrap();
        let origins = inventory.frozen.remove(&Table::Origins).unwrap().fd;
        let socket = |at: &str| {
            let socket = UdpSocket::bind(at).unwrap();
            let cookie = rustix::net::sockopt::socket_cookie(&socket).unwrap();
            (socket, cookie)
        };
        Self { origins, ipv4: socket("0.0.0.0:0"), ipv6: socket("[::]:0") }
    }

    fn ask(&self, target: SocketAddr) -> Met {
        let (socket, cookie) = if target.is_ipv4() { &self.ipv4 } else { &self.ipv6 };
        match socket.connect(target) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => return None,
            other => other.unwrap(),
        }
        let origin: Option<Origin> = sys::map_lookup(self.origins.as_fd(), cookie).unwrap();
        // The kernel shows the target only where its peer is who was taken.
        assert_eq!(socket.peer_addr().unwrap(), target);
        match origin.filter(|origin| origin.flags == ORIGIN_CONNECTED) {
            Some(origin) => Some((IpAddr::from(origin.backend), u16::from_be(origin.backend_port))),
            None => Some((target.ip(), target.port())),
        }
    }
}

/// The tables that the programs read, as they are pinned.
struct Pinned {
    pins: PinDir,
    generation: GenerationPins,
    view: TablesView,
}

impl Pinned {
    fn new(bench: &Bench) -> Self {
        let pins = bench.pins();
        let generation = Inventory::read(&pins).unwrap().generations.remove(&1).unwrap();
        let view = TablesView::open(&pins, 1, &generation).unwrap();
        Self { pins, generation, view }
    }

    fn disagreement(&mut self, mesh: &Snapshot) -> Option<String> {
        self.view.read_frontends(&self.pins, 1, &self.generation).unwrap();
        disagreement(mesh, &Place::of_node(NODE, mesh), &self.view)
    }

    /// Writes another endpoint into every slot that a service has, chosen by the service's id.
    fn spoil(&self, endpoint: impl Fn(u32) -> Option<u32>) {
        let mut writer = TableWriter::new(|table| self.generation.tables.get(&table)).unwrap();
        let words = (0..self.view.entries().services).filter_map(|id| Some((id, self.view.service(id)?)));
        let spoilt = words.filter_map(|(id, word)| Some((word, endpoint(id)?)));
        let slots = spoilt.flat_map(|(word, endpoint)| {
            (word.offset()..word.offset() + word.count()).map(move |slot| Store::Slot { slot, endpoint })
        });
        writer.execute(&slots.collect::<Vec<_>>()).unwrap();
    }

    /// An endpoint of the same address family, of a workload that is not behind the service port.
    fn stranger(&self, service: u32) -> Option<u32> {
        let (view, family) = (&self.view, |service| Some(self.view.service_meta(service)?.family));
        let word = view.service(service)?;
        let members = (word.offset()..word.offset() + word.count()).filter_map(|slot| view.slot(slot));
        let members: Vec<_> = members.filter_map(|id| view.endpoint(u32::try_from(id).ok()?)).collect();
        let is_stranger = |id: &u32| {
            let one = view.endpoint(*id).filter(|one| one.service != 0);
            one.is_some_and(|one| {
                family(one.service) == family(service) && members.iter().all(|it| it.workload != one.workload)
            })
        };
        // The lowest ids are taken first.
        (1..1_000).find(is_stranger)
    }
}

/// What ran, and what was wrong in the step at which it ended.
#[derive(Debug, Default)]
struct Outcome {
    histories: u64,
    steps: usize,
    picks: u64,
    tables: Option<String>,
    strangers: Vec<String>,
}

impl Outcome {
    fn is_clean(&self) -> bool {
        self.tables.is_none() && self.strangers.is_empty()
    }
}

/// Runs the histories of these seeds, each from nothing, up to the first step after which something is wrong.
fn run(bench: &Bench, plane: &mut DataPlane, seeds: Range<u64>, after: fn(&Pinned)) -> Outcome {
    let (mut outcome, mut pinned) = (Outcome::default(), Pinned::new(bench));
    inside(bench, &bench.client, || {
        let (own, others) = (Datagrams::new(bench), Datagrams::new(bench));
        for seed in seeds {
            if !outcome.is_clean() {
                break;
            }
            plane.apply(&Snapshot::default()).unwrap();
            let course = Course::new(Protocol::Udp, bench.client.ipv4().into());
            thread::scope(|scope| {
                let _end = course.ends_here();
                scope.spawn(|| course.meet_all_the_time(|target| others.ask(target)));
                for (number, mesh) in history(seed, STEPS).iter().enumerate() {
                    step(plane, &course, mesh, number, &own, || after(&pinned));
                    outcome.tables = pinned.disagreement(mesh);
                    outcome.steps += 1;
                    if outcome.tables.is_some() || !course.is_clean() {
                        break;
                    }
                }
            });
            outcome.histories += 1;
            outcome.picks += course.met();
            outcome.strangers = course.strangers();
        }
    });
    outcome
}

fn step(
    plane: &mut DataPlane,
    course: &Course,
    mesh: &Snapshot,
    number: usize,
    own: &Datagrams,
    after: impl FnOnce(),
) {
    let changed = course.change(mesh, || {
        plane.apply(mesh).unwrap();
        after();
    });
    if number.is_multiple_of(RECLAIM_EVERY) {
        plane.reclaim().unwrap();
    }
    let all = course.targets();
    let sample = all.iter().cycle().skip(number * SAMPLE).take(SAMPLE);
    changed.iter().chain(sample).for_each(|&target| course.meet(target, own.ask(target)));
}

#[test]
fn two_thousand_histories_are_as_the_reference_says() {
    const HISTORIES: u64 = 2_000;
    let (bench, mut plane) = ready();
    let outcome = run(&bench, &mut plane, 0..HISTORIES, |_| ());
    println!("{outcome:?}");
    assert!(outcome.is_clean(), "in the last of {outcome:#?}");
    assert_eq!(bench.counted("holes"), 0);
    assert_eq!((outcome.histories, outcome.steps), (HISTORIES, 2_000 * STEPS));
    assert!(outcome.picks > 10 * 2_000 * STEPS as u64, "{outcome:?}");
}

fn is_noticed(mistake: fn(&Pinned)) {
    let (bench, mut plane) = ready();
    let outcome = run(&bench, &mut plane, 0..10, mistake);
    println!("{outcome:?}");
    assert!(outcome.tables.is_some(), "{outcome:?}");
    assert!(!outcome.strangers.is_empty(), "{outcome:?}");
}

#[test]
fn holes_are_noticed_in_the_tables_and_by_picks() {
    is_noticed(|pinned| pinned.spoil(|_| Some(0)));
}

#[test]
fn an_endpoint_of_another_service_is_noticed_in_the_tables_and_by_picks() {
    is_noticed(|pinned| pinned.spoil(|service| pinned.stranger(service)));
}
