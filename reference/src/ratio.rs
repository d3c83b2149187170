use std::ops::Mul;

/// An exact part of a whole, in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    /// Numerator.
    pub part: u128,
    /// Denominator, more than 0.
    pub whole: u128,
}

impl Ratio {
    /// `part` of `whole`, which is more than 0.
    pub fn new(part: u128, whole: u128) -> Self {
        let divisor = greatest_common_divisor(part, whole);
        Self { part: part / divisor, whole: whole / divisor }
    }
}

impl Mul for Ratio {
    type Output = Self;

    fn mul(self, by: Self) -> Self {
        Self::new(self.part * by.part, self.whole * by.whole)
    }
}

/// The smallest whole numbers in the same proportion. `None`: they are beyond all measure.
pub fn whole_numbers(ratios: &[Ratio]) -> Option<Vec<u128>> {
    let common = ratios.iter().try_fold(1u128, |common, ratio| {
        (common / greatest_common_divisor(common, ratio.whole)).checked_mul(ratio.whole)
    })?;
    let scaled = |ratio: &Ratio| (common / ratio.whole).checked_mul(ratio.part);
    let scaled = ratios.iter().map(scaled).collect::<Option<Vec<u128>>>()?;
    let divisor = scaled.iter().copied().fold(0, greatest_common_divisor).max(1);
    Some(scaled.into_iter().map(|number| number / divisor).collect())
}

fn greatest_common_divisor(mut a: u128, mut b: u128) -> u128 {
    // Division of 128 bits is slow, and most numbers are small.
    while b != 0 {
        (a, b) = match (u64::try_from(a), u64::try_from(b)) {
            (Ok(small), Ok(divisor)) => (b, u128::from(small % divisor)),
            _ => (b, a % b),
        };
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_in_lowest_terms() {
        assert_eq!(Ratio::new(50, 100), Ratio { part: 1, whole: 2 });
        assert_eq!(Ratio::new(9, 10) * Ratio::new(1, 3), Ratio { part: 3, whole: 10 });
    }

    #[test]
    fn whole_numbers_keep_the_proportion() {
        let ratios = [Ratio::new(9, 20), Ratio::new(9, 20), Ratio::new(1, 10)];
        assert_eq!(whole_numbers(&ratios), Some(vec![9, 9, 2]));
        assert_eq!(whole_numbers(&[Ratio::new(1, 2), Ratio::new(1, 2)]), Some(vec![1, 1]));
        assert_eq!(whole_numbers(&[]), Some(vec![]));
        assert_eq!(whole_numbers(&[Ratio::new(1, 1 << 127), Ratio::new(1, 3)]), None);
    }
}
