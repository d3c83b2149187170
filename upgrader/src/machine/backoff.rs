use std::time::Duration;

use super::Settings;

/// How long to wait before each restart in a row: not at all, then doubling up to a cap.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    max: Duration,
    in_a_row: u32,
}

impl Backoff {
    /// No restart yet.
    pub fn new(settings: &Settings) -> Self {
        Self { first: settings.backoff_first, max: settings.backoff_max, in_a_row: 0 }
    }

    /// The pause before the next restart, which is counted.
    pub fn next_pause(&mut self) -> Duration {
        let doublings = self.in_a_row.checked_sub(1);
        self.in_a_row = self.in_a_row.saturating_add(1);
        match doublings {
            None => Duration::ZERO,
            Some(doublings) => self.first.saturating_mul(2u32.saturating_pow(doublings)).min(self.max),
        }
    }

    /// The agent ran well: what comes next is the first restart again.
    pub fn reset(&mut self) {
        self.in_a_row = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_at_once_doubles_and_stays_at_the_cap() {
        let mut backoff = Backoff::new(&Settings::default());
        let pauses: Vec<_> = (0..10).map(|_| backoff.next_pause().as_millis()).collect();
        assert_eq!(pauses, [0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        backoff.in_a_row = u32::MAX;
        assert_eq!(backoff.next_pause().as_millis(), 10_000);
        backoff.reset();
        assert_eq!(backoff.next_pause().as_millis(), 0);
    }
}
