//! A new generation is on trial until somebody says that it stays.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    os::fd::AsFd,
    sync::{Arc, Mutex},
};

use evermesh_abi::ServiceWord;
use evermesh_chaos_tests::binaries;
use evermesh_loader::{
    Config, DataPlane, How, Object, TableSizes,
    generation::{Journal, JournalFile, Moment, Programs, Step, Watch},
    tables::{Store, TableWriter},
};
use evermesh_pins::{Enrolment, GenerationPins, Hook, Inventory, PinDir, TablesView, sys};

use crate::bench::{Bench, PORT, SIZES, VIP4, inside};

/// Other sizes than before, and a sentinel.
fn other(bench: &Bench) -> Config {
    Config {
        sizes: TableSizes { endpoints: 4096, ..SIZES },
        sentinel: Some(binaries::find("evermesh-plane").unwrap()),
        ..bench.config()
    }
}

/// A generation of two members that is on trial.
fn on_trial(bench: &Bench) -> DataPlane {
    on_trial_with(bench, 2)
}

/// A generation of so many members that is on trial.
pub fn on_trial_with(bench: &Bench, members: usize) -> DataPlane {
    drop(bench.start(Some(&bench.mesh(members))));
    let (plane, started) = DataPlane::start(other(bench), Some(&bench.mesh(members))).unwrap();
    assert!(started.on_trial(), "{started:?}");
    plane
}

/// The generation that `live` names, all that there are, and those whose programs the links attach.
pub fn stands(bench: &Bench) -> (u32, Vec<u32>, Vec<u32>) {
    let inventory = Inventory::read(&bench.pins()).unwrap();
    let attached = |hook: &Hook, program: u32| {
        let mut generations = inventory.generations.iter();
        *generations.find(|(_, g)| g.programs[hook].info.id == program).unwrap().0
    };
    let links = inventory.links.iter();
    let mut attached: Vec<_> = links.map(|(hook, link)| attached(hook, link.info.program_id)).collect();
    attached.dedup();
    (inventory.live.unwrap(), inventory.generations.keys().copied().collect(), attached)
}

fn enrolled(bench: &Bench) -> Vec<String> {
    Enrolment::open(&bench.pins()).unwrap().list().unwrap().into_iter().map(|pod| pod.name).collect()
}

pub fn answers(bench: &Bench) -> bool {
    let service = SocketAddr::new(VIP4.parse().unwrap(), PORT);
    inside(bench, &bench.client, || std::net::TcpStream::connect(service).is_ok())
}

#[test]
fn what_proves_itself_stays_and_leaves_nothing_of_its_trial() {
    let bench = Bench::new();
    let mut plane = on_trial(&bench);
    assert_eq!(stands(&bench), (1, vec![1, 2], vec![2]));
    let report = plane.report().unwrap().unwrap();
    let sentinels = report.sentinels.unwrap();
    assert_eq!((report.generation, report.differences, sentinels.example), (2, 0, None));
    assert_eq!((sentinels.passed, sentinels.failed), (200, 0));
    assert_eq!(enrolled(&bench), [evermesh_sentinel::NAME]);
    plane.commit().unwrap();
    assert_eq!(stands(&bench), (2, vec![2], vec![2]));
    assert_eq!((plane.report().unwrap(), plane.audit().unwrap().writes), (None, 0));
    assert_eq!(enrolled(&bench), Vec::<String>::new());
}

/// What failed long ago says nothing of now, and what fails while the new generation is made counts in full.
#[test]
fn a_generation_is_compared_with_what_came_right_before_it() {
    for (fails, expected) in [(false, (120, 0)), (true, (0, 120))] {
        let bench = Arc::new(Bench::new());
        let (mut plane, _) = bench.start(Some(&bench.mesh(if fails { 2 } else { 0 })));
        bench.enrol(&bench.client);
        (0..20).for_each(|_| assert_eq!(answers(&bench), fails));
        let mesh = bench.mesh(if fails { 0 } else { 2 });
        plane.apply(&mesh).unwrap();
        drop(plane);
        let meanwhile = {
            let bench = bench.clone();
            Watch::new(move |step, moment| {
                if matches!((step, moment), (Step::Look { .. }, Moment::Before)) {
                    (0..120).for_each(|_| assert_eq!(answers(&bench), !fails));
                }
            })
        };
        let config = Config { watch: meanwhile, sentinel: None, ..other(&bench) };
        let (mut plane, started) = DataPlane::start(config, Some(&mesh)).unwrap();
        assert!(started.on_trial(), "{started:?}");
        let before = plane.report().unwrap().unwrap().before;
        assert_eq!((before.translated, before.failed), expected);
    }
}

#[test]
fn what_is_rolled_back_was_never_there_and_changes_meanwhile_are_kept() {
    let bench = Bench::new();
    let mut plane = on_trial(&bench);
    bench.enrol(&bench.client);
    plane.apply(&bench.mesh(0)).unwrap();
    assert!(!answers(&bench));
    plane.roll_back("a test").unwrap();
    assert_eq!(stands(&bench), (1, vec![1], vec![1]));
    assert!(!answers(&bench), "the old tables are those of now");
    plane.apply(&bench.mesh(1)).unwrap();
    assert!(answers(&bench));
    assert_eq!((plane.generation(), plane.audit().unwrap().writes), (1, 0));
    assert_eq!(enrolled(&bench), ["client"]);
}

#[test]
fn whoever_starts_after_an_agent_that_ended_on_trial_leads_back_and_gives_up_in_the_end() {
    let bench = Bench::new();
    for _ in 0..Journal::TRIES {
        drop(on_trial(&bench));
        assert_eq!(stands(&bench), (1, vec![1, 2], vec![2]));
    }
    let (plane, started) = DataPlane::start(other(&bench), Some(&bench.mesh(2))).unwrap();
    assert_eq!((stands(&bench), &started.how), ((1, vec![1], vec![1]), &How::Adopted));
    let note = started.notes.last().unwrap();
    assert!(note.starts_with("generation 1 stays") && note.contains("undone 3 times"), "{note}");
    assert_eq!(enrolled(&bench), Vec::<String>::new());
    drop(plane);
    let insistent = Config { candidate: true, ..other(&bench) };
    let (mut plane, started) = DataPlane::start(insistent, Some(&bench.mesh(2))).unwrap();
    assert!(started.on_trial());
    plane.commit().unwrap();
    assert_eq!(JournalFile::open(bench.sandbox.dir()).now().failures, None);
}

/// What the old tables lead to when the first link comes back to them: endpoints that take flows.
fn leads_to_at_the_first_link_back(bench: &Bench) -> (Watch, Arc<Mutex<Option<usize>>>) {
    let (pins, seen) = (bench.pins(), Arc::new(Mutex::new(None)));
    let told = Arc::clone(&seen);
    let watch = Watch::new(move |step, moment| {
        let is_back = matches!(step, Step::Switch { to: Programs::Of(1), .. });
        if is_back && moment == Moment::Before {
            told.lock().unwrap().get_or_insert_with(|| endpoints(&pins, 1));
        }
    });
    (watch, seen)
}

/// Of all services of a generation.
fn endpoints(pins: &PinDir, generation: u32) -> usize {
    let stands = GenerationPins::read(pins, generation).unwrap();
    let view = TablesView::open(pins, generation, &stands).unwrap();
    let services = (1..view.entries().services).filter_map(|id| view.service(id));
    let slots = services.flat_map(|word| word.offset()..word.offset() + word.count());
    let ids: BTreeSet<_> = slots.filter_map(|slot| view.slot(slot)).filter(|id| *id != 0).collect();
    ids.into_iter().filter(|id| view.endpoint(u32::try_from(*id).unwrap()).unwrap().service != 0).count()
}

/// What went away before the change, and what did while it was on trial: neither is led to for a moment.
#[test]
fn what_is_rolled_back_to_is_up_to_date_before_the_first_link_is_back() {
    for (before, after) in [(1, 1), (2, 0), (0, 2)] {
        let bench = Bench::new();
        drop(bench.start(Some(&bench.mesh(2))));
        let (watch, seen) = leads_to_at_the_first_link_back(&bench);
        let config = Config { watch, ..other(&bench) };
        let (mut plane, started) = DataPlane::start(config, Some(&bench.mesh(before))).unwrap();
        assert!(started.on_trial(), "{started:?}");
        plane.apply(&bench.mesh(after)).unwrap();
        plane.roll_back("a test").unwrap();
        let [v4, v6] = [after; 2];
        assert_eq!(*seen.lock().unwrap(), Some(v4 + v6), "{before} members, then {after}");
        assert_eq!((plane.generation(), plane.audit().unwrap().writes), (1, 0));
    }
}

/// Nobody else writes the tables that stand by. Whoever did is found out when links are back.
#[test]
fn what_is_rolled_back_to_is_compared_when_links_are_back() {
    let bench = Bench::new();
    let mut plane = on_trial(&bench);
    let stands = GenerationPins::read(&bench.pins(), 1).unwrap();
    let mut vandal = TableWriter::new(|table| stands.tables.get(&table)).unwrap();
    vandal.execute(&[Store::Service { id: 1, word: ServiceWord::new(0, 900, 7) }]).unwrap();
    plane.roll_back("a test").unwrap();
    assert_eq!(plane.audit().unwrap().writes, 0);
}

/// Each hook has a check that fails without it.
#[test]
fn a_sentinel_misses_every_hook_that_is_not_there() {
    for (missing, seen) in [
        (Hook::Connect4, "connect4, getpeername4, TCP: cannot connect"),
        (Hook::Connect6, "connect6, getpeername6, TCP: cannot connect"),
        (Hook::GetPeerName4, "connect4, getpeername4, TCP: the peer is shown as 127.0.0.1:7007"),
        (Hook::GetPeerName6, "connect6, getpeername6, TCP: the peer is shown as [::1]:7007"),
        (Hook::SendMsg4, "sendmsg4, recvmsg4: cannot send"),
        (Hook::SendMsg6, "sendmsg6, recvmsg6: cannot send"),
        (Hook::RecvMsg4, "sendmsg4, recvmsg4: the peer is shown as 127.0.0.1:7007"),
        (Hook::RecvMsg6, "sendmsg6, recvmsg6: the peer is shown as [::1]:7007"),
        (Hook::SockRelease, "sock_release: socket"),
    ] {
        let bench = Bench::new();
        let mut plane = on_trial(&bench);
        let inventory = Inventory::read(&bench.pins()).unwrap();
        sys::link_detach(inventory.links[&missing].fd.as_fd()).unwrap();
        let sentinels = plane.report().unwrap().unwrap().sentinels.unwrap();
        let example = sentinels.example.unwrap_or_default();
        assert!(example.starts_with(seen), "without {missing}: {example}");
    }
}

/// It loads, every flow is led where it should be, and no map is full for it.
#[test]
fn a_release_hook_that_leaves_what_a_socket_asked_for_fails_in_rehearsal() {
    let bench = Bench::new();
    drop(bench.start(Some(&bench.mesh(2))));
    let object = Object::read(&binaries::variant("forgetful_release").unwrap()).unwrap();
    let (_, started) = DataPlane::start(Config { object, ..other(&bench) }, Some(&bench.mesh(2))).unwrap();
    let note = started.notes.last().unwrap();
    assert!(note.contains("failed in rehearsal: sock_release: socket"), "{note}");
    assert_eq!(stands(&bench), (1, vec![1], vec![1]));
}
