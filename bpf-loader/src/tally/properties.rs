use proptest::prelude::*;

use super::*;

/// Releases name what they count, each in an order of its own, and not all the same.
const NAMES: [&str; 5] = ["translated", "refused", "holes", "added_later", "given_up"];

fn counts() -> impl Strategy<Value = Counts> {
    let named =
        (proptest::sample::subsequence(&NAMES[..], 0..=NAMES.len()).prop_shuffle(), any::<[u32; 5]>());
    let named = named.prop_map(|(names, values)| {
        let named = names.into_iter().zip(values);
        named.map(|(name, value)| (name.to_owned(), u64::from(value))).collect::<Vec<_>>()
    });
    named.prop_map(|counts| Counts { map: 0, counts })
}

proptest! {
    /// Generations in turn, each added as often as its removal is tried.
    #[test]
    fn what_is_added_again_and_what_stands_is_counted_once_by_its_name(
        gone in proptest::collection::vec((counts(), 1..4_usize), 0..40),
        stands in counts(),
    ) {
        let (mut tally, mut sums) = (Tally::of_boot("this"), BTreeMap::new());
        for (map, (counts, times)) in (1..).zip(&gone) {
            let counts = Counts { map, ..counts.clone() };
            add(&mut sums, &counts.counts);
            for _ in 0..*times {
                tally.add(&counts);
                prop_assert_eq!(told(&tally.with(std::slice::from_ref(&counts))), told(&sums));
            }
        }
        let stands = Counts { map: 99, ..stands };
        add(&mut sums, &stands.counts);
        prop_assert_eq!(told(&tally.with(&[stands])), told(&sums));
        let written = serde_json::to_vec(&tally).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Tally>(&written).unwrap(), tally);
    }
}

/// What was never counted need not be told.
fn told(sums: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    sums.iter().filter(|(_, sum)| **sum > 0).map(|(name, sum)| (name.clone(), *sum)).collect()
}
