//! The result, as a table.

use std::time::Duration;

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use evermesh_chaos_tests::oracle::{KindReport, Latency, Report};

const HEADER: [&str; 8] =
    ["event", "times", "attempts", "failed", "longest stall", "connect p50/p99 before", "during", "after"];

const LINE: LineStyle = LineStyle::none().fill('─').junction('─');
const STYLE: TableStyle = TableStyle::new().top_border(LINE).header_separator(LINE).bottom_border(LINE);

/// A line for each kind of event in the order of `kinds`, and one for the whole run.
pub fn of(report: &Report, kinds: &[String]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_header(HEADER);
    for kind in kinds {
        if let Some(sums) = report.kinds.get(kind) {
            table.add_row(line(kind, sums));
        }
    }
    table.add_row(total(report));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn line(kind: &str, sums: &KindReport) -> [String; 8] {
    [
        kind.to_owned(),
        sums.events.to_string(),
        sums.attempts.to_string(),
        sums.failures.to_string(),
        millis(sums.longest_stall),
        latency(&sums.before),
        latency(&sums.during),
        latency(&sums.after),
    ]
}

fn total(report: &Report) -> [String; 8] {
    let none = String::new;
    [
        "whole run".to_owned(),
        report.events.len().to_string(),
        report.attempts.to_string(),
        report.failed().to_string(),
        millis(report.longest_stall.duration),
        none(),
        none(),
        none(),
    ]
}

fn latency(latency: &Latency) -> String {
    match latency.count() {
        0 => "-".to_owned(),
        _ => format!("{} / {} us", latency.p50().as_micros(), latency.p99().as_micros()),
    }
}

fn millis(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}
