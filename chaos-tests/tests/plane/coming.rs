//! A virtual IP comes and goes thousands of times a second while sockets connect to it: they are led to its service or left
//! alone, and never refused.

use std::time::Duration;

use evermesh_abi::FrontendKey;
use evermesh_loader::tables::{State, Store};

use crate::{
    bench::Bench,
    pressure::{Outcome, is_refused, under_pressure},
};

/// A process that was held up between two look-ups saw neither the port, which was not there yet, nor that its address was
/// unknown, which it was no longer: its connection was refused.
#[test]
fn a_virtual_ip_that_comes_refuses_nobody() {
    let outcome = come_and_go(Order::Proper, Duration::from_secs(5), |_| false);
    println!("{outcome:?}");
    assert_eq!(outcome.failures, 0, "{outcome:?}");
    assert!(outcome.connects > 50_000 && outcome.changes > 1_000, "{outcome:?}");
}

#[test]
fn a_virtual_ip_that_is_known_before_its_ports_is_noticed() {
    let outcome = come_and_go(Order::MarkFirst, Duration::from_secs(60), |outcome| outcome.failures > 0);
    println!("{outcome:?}");
    assert!(outcome.failures > 0, "{outcome:?}");
}

/// What comes first.
enum Order {
    Proper,
    MarkFirst,
}

/// Every change is that all virtual IPs go, and come.
fn come_and_go(order: Order, at_most: Duration, enough: fn(&Outcome) -> bool) -> Outcome {
    let bench = Bench::new();
    drop(bench.start(Some(&bench.mesh(2))));
    bench.enrol(&bench.client);
    let (state, mut writer) = bench.tables();
    let (goes, comes) = stores(&state, order);
    under_pressure(&bench, at_most, enough, is_refused, |_| {
        writer.execute(&goes).unwrap();
        writer.execute(&comes).unwrap();
    })
}

/// By which all virtual IPs go, and by which they come.
fn stores(state: &State, order: Order) -> (Vec<Store>, Vec<Store>) {
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
