use std::time::Duration;

use evermesh_chaos_tests::oracle::{KindReport, Latency, Report};

/// What of a report nobody judges: a line for each kind of event, and what all of them add to what a connect takes.
pub fn told(report: &Report) -> String {
    let Report { undisturbed, disturbed, .. } = report;
    let line = |(kind, seen): (&String, &KindReport)| {
        let (before, during) = (&seen.before, &seen.during);
        let overlapping =
            report.events.iter().filter(|it| it.event.kind == *kind).map(|it| it.overlapping).min();
        format!(
            "{kind}: {} events, {} attempts (at least {} each), connect p50/p99 before {before}, during {during}, p99 added {}, longest stall {:?}\n",
            seen.events,
            seen.attempts,
            overlapping.unwrap_or(0),
            added(undisturbed, during),
            seen.longest_stall
        )
    };
    let lines: String = report.kinds.iter().map(line).collect();
    let added = added(undisturbed, disturbed);
    format!(
        "{lines}connect p50/p99 without events {undisturbed}, during events {disturbed}, p99 added {added}\n"
    )
}

/// To all but one in a hundred.
fn added(without: &Latency, with: &Latency) -> String {
    let ms = |p99: Duration| p99.as_secs_f64() * 1e3;
    format!("{:+.2}ms", ms(with.p99()) - ms(without.p99()))
}
