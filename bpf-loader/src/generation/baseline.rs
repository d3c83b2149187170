//! What a generation on trial is compared with: how flows fared on the one before it, right before the switch.

use std::{
    thread,
    time::{Duration, Instant},
};

use evermesh_pins::{GenerationPins, PinDir};

use crate::Flows;

/// How often what the programs have counted is read.
const EVERY: Duration = Duration::from_millis(100);
/// What was longer ago says nothing of now, however long it took to make the new generation; but a single step may take longer.
const LONGEST: Duration = Duration::from_secs(10);
/// A share of fewer flows may be chance.
const FLOWS_MIN: u64 = 100;

/// What the programs of a generation had counted at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sample {
    at: Duration,
    flows: Flows,
}

/// Looks at a generation until another one takes its place.
#[derive(Debug)]
pub struct Baseline<'a> {
    pins: &'a PinDir,
    generation: u32,
    found: &'a GenerationPins,
    begun: Instant,
    shortest: Duration,
    samples: Vec<Sample>,
}

impl<'a> Baseline<'a> {
    /// Begins to look at what stands there of a generation, for at least so long. One that cannot be read has no flows.
    pub fn begin(pins: &'a PinDir, generation: u32, found: &'a GenerationPins, shortest: Duration) -> Self {
        let begun = Instant::now();
        let mut baseline = Self { pins, generation, found, begun, shortest, samples: Vec::new() };
        baseline.sample();
        baseline
    }

    /// Looks again, if it is time.
    pub fn look(&mut self) {
        let last = self.samples.last().map_or(Duration::ZERO, |sample| sample.at);
        if self.begun.elapsed() >= last + EVERY {
            self.sample();
        }
    }

    /// Looks on until it has looked for long enough; how flows fared. The new generation is ready, and traffic waits for nothing.
    pub fn complete(mut self) -> Flows {
        while let Some(left) = self.shortest.checked_sub(self.begun.elapsed()).filter(|left| !left.is_zero())
        {
            thread::sleep(left.min(EVERY));
            self.look();
        }
        self.sample();
        compared(&self.samples)
    }

    fn sample(&mut self) {
        if let Ok(flows) = Flows::counted(self.pins, self.generation, self.found) {
            self.samples.push(Sample { at: self.begun.elapsed(), flows });
        }
    }
}

/// The flows of that part of the last [`LONGEST`] which ends with the last sample, and in which the greatest share failed: of failures
/// that have only begun the part before says nothing. Where no sample is so recent, as after a step that the disk has held up, the
/// last one before counts. Where there are not flows enough in any part, as on a quiet node, all that was ever counted.
fn compared(samples: &[Sample]) -> Flows {
    let Some(last) = samples.last() else { return Flows::default() };
    let first = samples.iter().rposition(|sample| last.at - sample.at >= LONGEST).unwrap_or(0);
    let parts: Vec<Flows> = samples[first..].iter().map(|sample| last.flows.since(sample.flows)).collect();
    let telling = parts.iter().filter(|part| part.all() >= FLOWS_MIN);
    let worst = telling.max_by(|a, b| {
        let [a_failed, b_failed] =
            [(a, b), (b, a)].map(|(it, other)| u128::from(it.failed) * u128::from(other.all()));
        a_failed.cmp(&b_failed).then(a.all().cmp(&b.all()))
    });
    worst.copied().unwrap_or(last.flows)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What was counted in each stretch of a second, and what had been counted before.
    fn samples(before: (u64, u64), stretches: &[(u64, u64)]) -> Vec<Sample> {
        let mut flows = Flows { translated: before.0, failed: before.1 };
        let mut samples = vec![Sample { at: Duration::ZERO, flows }];
        for (second, (translated, failed)) in (1..).zip(stretches) {
            flows = Flows { translated: flows.translated + translated, failed: flows.failed + failed };
            samples.push(Sample { at: Duration::from_secs(second), flows });
        }
        samples
    }

    fn flows(translated: u64, failed: u64) -> Flows {
        Flows { translated, failed }
    }

    #[test]
    fn failures_of_long_ago_do_not_count() {
        let old = samples((1000, 9000), &[(500, 0), (500, 0)]);
        assert_eq!(compared(&old), flows(1000, 0));
        let within = samples((0, 0), &[&[(0, 500)][..], &[(100, 0); 10]].concat());
        assert_eq!(compared(&within), flows(1000, 0));
    }

    #[test]
    fn failures_that_have_only_begun_count_in_full() {
        let begun = samples((1_000_000, 0), &[(900, 0), (900, 0), (100, 100)]);
        assert_eq!(compared(&begun), flows(100, 100));
    }

    #[test]
    fn a_share_of_few_flows_is_not_chosen() {
        let few = samples((0, 0), &[(900, 0), (10, 10)]);
        assert_eq!(compared(&few), flows(910, 10));
    }

    /// A client that is refused now and then, and by chance not right before the switch.
    #[test]
    fn on_a_quiet_node_all_that_was_ever_counted_counts() {
        assert_eq!(compared(&samples((70, 700), &[(3, 1)])), flows(73, 701));
    }

    /// It was taken for a time without flows, and all that was refused on the new generation for its fault.
    #[test]
    fn a_step_that_took_longer_than_what_counts_is_counted() {
        let look = |second, translated, failed| Sample {
            at: Duration::from_secs(second),
            flows: flows(translated, failed),
        };
        assert_eq!(compared(&[look(0, 0, 0), look(1, 500, 0), look(15, 600, 300)]), flows(100, 300));
    }

    #[test]
    fn without_a_second_look_nothing_is_known_of_now() {
        assert_eq!(compared(&[]), Flows::default());
        assert_eq!(compared(&samples((500, 500), &[])), flows(500, 500));
    }

    proptest! {
        /// Whatever was counted before it began, if flows enough came since.
        #[test]
        fn what_was_counted_before_changes_nothing(
            before in (0..1u64 << 40, 0..1u64 << 40),
            stretches in proptest::collection::vec((FLOWS_MIN..1000, 0..1000u64), 1..20),
        ) {
            prop_assert_eq!(compared(&samples(before, &stretches)), compared(&samples((0, 0), &stretches)));
        }

        #[test]
        fn a_steady_share_is_found_whatever_the_load(
            loads in proptest::collection::vec(1..50u64, 1..20),
            share in (1..100u64, 0..100u64),
        ) {
            let stretches: Vec<_> = loads.iter().map(|load| (load * share.0, load * share.1)).collect();
            let found = compared(&samples((0, 0), &stretches));
            prop_assert_eq!(found.translated * share.1, found.failed * share.0);
        }

        /// No part that ends at the switch and has flows enough fares worse.
        #[test]
        fn no_telling_part_fares_worse(stretches in proptest::collection::vec((0..300u64, 0..300u64), 1..9)) {
            let all = samples((0, 0), &stretches);
            let (found, last) = (compared(&all), all[all.len() - 1]);
            for part in all.iter().map(|sample| last.flows.since(sample.flows)).filter(|part| part.all() >= FLOWS_MIN) {
                prop_assert!(part.failed * found.all() <= found.failed * part.all());
            }
        }
    }
}
