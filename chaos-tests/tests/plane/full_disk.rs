//! The disk is full on which the journal is kept: traffic comes back from a trial, and starts go on.

use evermesh_abi::control::{PHASE_STEADY, PHASE_SUSPENDED};
use evermesh_chaos_tests::filler::Filler;
use evermesh_loader::{
    Config, DataPlane, How, Started, TableSizes,
    generation::{Entry, JournalFile, Moment, Stage, Step, Watch},
};
use evermesh_pins::Control;

use crate::{
    bench::{Bench, SIZES},
    trial::{answers, stands},
};

const DISK: u64 = 1 << 20;
/// Other sizes than before, also of `enrolled`, whose writers wait as long as the trial lasts.
const OTHER: TableSizes = TableSizes { endpoints: 4096, pods: 2 * SIZES.pods, ..SIZES };

/// A bench with a small disk, on which generation 1 stands, and what fills that disk.
fn bench() -> (Bench, Filler) {
    let bench = Bench::new();
    bench.sandbox.limit_state_dir(DISK).unwrap();
    drop(start(&bench, SIZES));
    bench.enrol(&bench.client);
    let filler = Filler::in_directory(&bench.sandbox.state_dir());
    (bench, filler)
}

fn config(bench: &Bench, sizes: TableSizes) -> Config {
    Config { sizes, state_dir: bench.sandbox.state_dir(), ..bench.config() }
}

fn start(bench: &Bench, sizes: TableSizes) -> (DataPlane, Started) {
    DataPlane::start(config(bench, sizes), Some(&bench.mesh(2))).unwrap()
}

fn on_trial(bench: &Bench) -> DataPlane {
    let (plane, started) = start(bench, OTHER);
    assert!(started.on_trial(), "{started:?}");
    assert_eq!((stands(bench), phase(bench)), ((1, vec![1, 2], vec![2]), PHASE_SUSPENDED));
    plane
}

fn phase(bench: &Bench) -> u64 {
    Control::open(&bench.pins()).unwrap().phase().unwrap()
}

/// One generation, whole and alone; pods can be enrolled, and traffic is balanced.
fn goes_on(bench: &Bench, generation: u32) {
    assert_eq!(stands(bench), (generation, vec![generation], vec![generation]));
    assert_eq!(phase(bench), PHASE_STEADY);
    bench.enrol(&bench.web[0]);
    assert!(answers(bench));
}

/// No change that is not over.
fn journal_is_empty(bench: &Bench) -> bool {
    JournalFile::open(bench.sandbox.state_dir()).now().change.is_none()
}

/// The change cannot begin, and what stands goes on; with room on the disk it does.
fn the_next_start_goes_on_and_the_one_after_changes(bench: &Bench, filler: &Filler) {
    let (plane, started) = start(bench, OTHER);
    assert_eq!(started.how, How::Adopted);
    let told = |words: &str| started.notes.iter().any(|note| note.contains(words));
    assert!(told("generation 1 stays") && told("the journal cannot be written"), "{:?}", started.notes);
    goes_on(bench, 1);
    drop(plane);
    filler.make_room().unwrap();
    let mut plane = on_trial(bench);
    plane.commit().unwrap();
    goes_on(bench, 2);
    assert!(journal_is_empty(bench));
}

#[test]
fn a_roll_back_leads_back_at_once_when_the_disk_is_full() {
    let (bench, filler) = bench();
    let mut plane = on_trial(&bench);
    filler.fill().unwrap();
    plane.roll_back("a test").unwrap();
    goes_on(&bench, 1);
    let notes = plane.take_notes();
    let words = "the journal does not say that the change is undone";
    assert!(notes.iter().any(|note| note.contains(words) && note.contains("No space left")), "{notes:?}");
    assert!(!journal_is_empty(&bench));
    plane.apply(&bench.mesh(1)).unwrap();
    drop(plane);
    the_next_start_goes_on_and_the_one_after_changes(&bench, &filler);
}

#[test]
fn what_cannot_be_written_down_as_committed_is_led_back_at_once() {
    let (bench, filler) = bench();
    let mut plane = on_trial(&bench);
    filler.fill().unwrap();
    let error = plane.commit().unwrap_err();
    assert_eq!(error.to_string(), "the journal cannot be written");
    goes_on(&bench, 1);
    assert!(!plane.on_trial());
    assert_eq!(plane.audit().unwrap().writes, 0);
    drop(plane);
    the_next_start_goes_on_and_the_one_after_changes(&bench, &filler);
}

#[test]
fn a_start_leads_back_what_an_agent_left_on_trial_when_the_disk_is_full() {
    let (bench, filler) = bench();
    drop(on_trial(&bench));
    filler.fill().unwrap();
    the_next_start_goes_on_and_the_one_after_changes(&bench, &filler);
}

/// It is on the disk that the generation stays; that the change is over need not be.
#[test]
fn a_change_that_is_committed_is_finished_when_the_disk_is_full() {
    let (bench, filler) = bench();
    let (full, word) = (filler.clone(), Step::Record(Entry::Reached(Stage::Committed)));
    let watch = Watch::new(move |step, moment| {
        if *step == word && moment == Moment::After {
            full.fill().unwrap();
        }
    });
    let config = Config { watch, ..config(&bench, OTHER) };
    let (mut plane, _) = DataPlane::start(config, Some(&bench.mesh(2))).unwrap();
    plane.commit().unwrap();
    goes_on(&bench, 2);
    drop(plane);
    for is_full in [true, false] {
        let (plane, started) = start(&bench, OTHER);
        assert_eq!((started.how, started.generation), (How::Adopted, 2));
        goes_on(&bench, 2);
        assert_eq!(journal_is_empty(&bench), !is_full);
        drop(plane);
        if is_full {
            filler.make_room().unwrap();
        }
    }
}
