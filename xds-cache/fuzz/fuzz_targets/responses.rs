//! A control plane that says anything. What is checked is said by the harness, which `tests/corpus.rs` shares.

#![no_main]

#[path = "../../tests/frames/mod.rs"]
mod frames;
#[path = "../../tests/harness/mod.rs"]
mod harness;
mod story;

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|bytes: &[u8]| harness::run(bytes));

// Bytes changed anywhere seldom make a message: the lengths around them no longer fit. Most changes keep the form.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let changed = match seed % 4 {
        0 => None,
        _ => story::changed(&data[..size], seed / 4).filter(|bytes| bytes.len() <= max_size.min(data.len())),
    };
    match changed {
        None => fuzzer_mutate(data, size, max_size),
        Some(bytes) => {
            data[..bytes.len()].copy_from_slice(&bytes);
            bytes.len()
        }
    }
});
