use evermesh_chaos_tests::oracle::{KindReport, Report};

/// What of a report nobody judges: a line for each kind of event.
pub fn told(report: &Report) -> String {
    let line = |(kind, seen): (&String, &KindReport)| {
        let (before, during) = (&seen.before, &seen.during);
        let overlapping =
            report.events.iter().filter(|it| it.event.kind == *kind).map(|it| it.overlapping).min();
        format!(
            "{kind}: {} events, {} attempts (at least {} each), connect p50/p99 before {before}, during {during}, longest stall {:?}\n",
            seen.events,
            seen.attempts,
            overlapping.unwrap_or(0),
            seen.longest_stall
        )
    };
    report.kinds.iter().map(line).collect()
}
