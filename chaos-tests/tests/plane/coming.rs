//! A virtual IP comes and goes thousands of times a second while sockets connect to it: they are led to its service or left
//! alone, and never refused.

use std::{
    io::ErrorKind,
    net::UdpSocket,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use evermesh_abi::FrontendKey;
use evermesh_loader::tables::{self, Store, TableWriter};
use evermesh_pins::{Inventory, TablesView};

use crate::{
    bench::{Bench, PORT, VIP4, inside},
    churn::interrupt_all_the_time,
};

/// A process that was held up between two look-ups saw neither the port, which was not there yet, nor that its address was
/// unknown, which it was no longer: its connection was refused.
#[test]
fn a_virtual_ip_that_comes_refuses_nobody() {
    let outcome = come_and_go(Order::Proper, Duration::from_secs(5), |_| false);
    println!("{outcome:?}");
    assert_eq!(outcome.refused, 0, "{outcome:?}");
    assert!(outcome.connects > 50_000 && outcome.comings > 1_000, "{outcome:?}");
}

#[test]
fn a_virtual_ip_that_is_known_before_its_ports_is_noticed() {
    let outcome = come_and_go(Order::MarkFirst, Duration::from_secs(60), |refused| refused > 0);
    println!("{outcome:?}");
    assert!(outcome.refused > 0, "{outcome:?}");
}

/// What comes first.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    Proper,
    MarkFirst,
}

#[derive(Debug)]
struct Outcome {
    comings: u64,
    connects: u64,
    refused: u64,
}

fn come_and_go(order: Order, at_most: Duration, enough: fn(u64) -> bool) -> Outcome {
    let bench = Bench::new();
    drop(bench.start(Some(&bench.mesh(3))));
    bench.enrol(&bench.client);
    let inventory = Inventory::read(&bench.pins()).unwrap();
    let generation = &inventory.generations[&1];
    let mut writer = TableWriter::new(|table| generation.tables.get(&table)).unwrap();
    let state = tables::adopt(&TablesView::open(&bench.pins(), 1, generation).unwrap());
    let (goes, comes) = stores(&state, order);
    let (stop, connects, refused) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let comings = inside(&bench, &bench.client, || {
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| connect_all_the_time(&stop, &connects, &refused));
            }
            for _ in 0..2 {
                scope.spawn(|| interrupt_all_the_time(&stop));
            }
            let (began, mut comings) = (Instant::now(), 0);
            while began.elapsed() < at_most && !enough(refused.load(Ordering::Relaxed)) {
                writer.execute(&goes).unwrap();
                writer.execute(&comes).unwrap();
                comings += 1;
            }
            stop.store(true, Ordering::Relaxed);
            comings
        })
    });
    Outcome { comings, connects: connects.into_inner(), refused: refused.into_inner() }
}

/// By which all virtual IPs go, and by which they come.
fn stores(state: &tables::State, order: Order) -> (Vec<Store>, Vec<Store>) {
    let set = state.as_stores().into_iter().filter_map(|store| match store {
        Store::SetFrontend { key, value } => Some((key, value)),
        _ => None,
    });
    let (marks, ports): (Vec<_>, Vec<_>) = set.partition(|(key, _)| FrontendKey::is_mark(key));
    let goes = marks.iter().chain(&ports).map(|&(key, _)| Store::RemoveFrontend { key });
    let comes = match order {
        Order::Proper => ports.iter().chain(&marks),
        Order::MarkFirst => marks.iter().chain(&ports),
    };
    (goes.collect(), comes.map(|&(key, value)| Store::SetFrontend { key, value }).collect())
}

fn connect_all_the_time(stop: &AtomicBool, connects: &AtomicU64, refused: &AtomicU64) {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    while !stop.load(Ordering::Relaxed) {
        // Where it is left alone there may be no way to it.
        let is_refused = |error: std::io::Error| error.kind() == ErrorKind::ConnectionRefused;
        let was_refused = socket.connect((VIP4, PORT)).is_err_and(is_refused);
        connects.fetch_add(1, Ordering::Relaxed);
        refused.fetch_add(was_refused.into(), Ordering::Relaxed);
    }
}
