use std::time::Duration;

use tokio::time::Instant;

use super::End;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(15);
/// A stream that lived so long is no failure.
const LIVED: Duration = Duration::from_secs(10);

/// How long to wait before the next attempt: twice as long each time, and by chance between half of that and all of it, so
/// that the nodes of a cluster do not come back at once.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// Every subscription of a stream that was opened then has been answered.
    pub fn connected(&mut self, opened: Instant) {
        if opened.elapsed() >= LIVED {
            self.attempts = 0;
        }
    }

    /// `None`: nothing has failed, and another stream takes its place at once. `chance`: any number.
    pub fn after(&mut self, end: &End, chance: u32) -> Option<Duration> {
        (!matches!(end, End::Old)).then(|| self.next(chance))
    }

    /// `chance`: any number.
    pub fn next(&mut self, chance: u32) -> Duration {
        let pause = FIRST.saturating_mul(1 << self.attempts.min(16)).min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        pause.mul_f64(0.5 + 0.5 * f64::from(chance) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pause_is_longer_up_to_a_limit() {
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..40).map(|_| backoff.next(u32::MAX)).collect();
        assert_eq!(pauses[..3], [100, 200, 400].map(Duration::from_millis));
        assert!(pauses.is_sorted());
        assert_eq!(pauses[39], LONGEST);
    }

    #[test]
    fn a_stream_that_has_grown_old_is_no_failure() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.after(&End::Old, u32::MAX), None);
        assert_eq!(
            [End::Closed, End::Silent].map(|end| backoff.after(&end, u32::MAX)),
            [1, 2].map(|n| Some(FIRST * n))
        );
    }

    #[test]
    fn chance_takes_up_to_half_of_it() {
        assert_eq!(Backoff::default().next(0), FIRST / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_stream_that_lived_begins_anew() {
        let mut backoff = Backoff { attempts: 5 };
        let opened = Instant::now();
        backoff.connected(opened);
        assert_eq!(backoff.attempts, 5);
        tokio::time::advance(LIVED).await;
        backoff.connected(opened);
        assert_eq!(backoff.attempts, 0);
    }
}
