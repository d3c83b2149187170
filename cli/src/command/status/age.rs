const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A duration in milliseconds, as precisely as people want it.
pub fn text(ms: u64) -> String {
    match ms {
        0..SECOND => format!("{ms} ms"),
        SECOND..MINUTE => format!("{} s", ms / SECOND),
        MINUTE..HOUR => format!("{} min", ms / MINUTE),
        HOUR..DAY => format!("{} h {} min", ms / HOUR, ms % HOUR / MINUTE),
        DAY.. => format!("{} d {} h", ms / DAY, ms % DAY / HOUR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_grows_with_the_duration() {
        for (ms, expected) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_999, "1 s"),
            (59_999, "59 s"),
            (60_000, "1 min"),
            (3_600_000 + 120_000, "1 h 2 min"),
            (2 * 86_400_000 + 3 * 3_600_000, "2 d 3 h"),
        ] {
            assert_eq!(text(ms), expected);
        }
    }
}
