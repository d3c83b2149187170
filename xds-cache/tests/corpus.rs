//! What the fuzzer found worth keeping, and recordings of real control planes, heard again.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod frames;
mod harness;

use std::{fs, path::Path};

/// Runs every file of a directory, of this name's ending if any is given; says how many.
fn hear(directory: &str, ending: &str) -> usize {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.to_string_lossy().ends_with(ending));
    let hear = |path: std::path::PathBuf| {
        // Shown where it fails.
        println!("{}", path.display());
        harness::run(&fs::read(path).unwrap());
    };
    files.map(hear).count()
}

#[test]
fn what_the_fuzzer_found_is_heard_as_it_was_said() {
    assert!(hear("fuzz/corpus/responses", "") > 10);
}

#[test]
fn what_real_control_planes_say_is_heard_as_it_was_said() {
    assert_eq!(hear("../chaos-tests/fixtures", ".xds"), 2);
}
