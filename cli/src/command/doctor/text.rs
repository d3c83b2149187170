use std::fmt;

use super::{
    check::{Check, Verdict},
    memory::size,
    view::DoctorView,
};

/// Width of the first column, and of the second.
const VERDICT: usize = 10;
const NAME: usize = 18;

/// What is wrong first, with cost and action; then a line for each thing that is well.
impl fmt::Display for DoctorView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.headline())?;
        for verdict in [Verdict::Missing, Verdict::Degraded, Verdict::Unknown, Verdict::Ok] {
            self.checks
                .iter()
                .filter(|check| check.verdict == verdict)
                .try_for_each(|it| paragraph(f, it))?;
        }
        line(f, "", "tables", &self.tables())
    }
}

impl DoctorView {
    fn headline(&self) -> String {
        let count = |verdict| self.checks.iter().filter(|check| check.verdict == verdict).count();
        let lead = match count(Verdict::Missing) {
            0 => "This host offers what Evermesh needs".to_owned(),
            1 => "Evermesh cannot work here: 1 thing is missing".to_owned(),
            some => format!("Evermesh cannot work here: {some} things are missing"),
        };
        let rest = [(Verdict::Degraded, "could be better"), (Verdict::Unknown, "unknown")];
        let rest =
            rest.map(|(verdict, word)| (count(verdict), word)).into_iter().filter(|(count, _)| *count > 0);
        let rest: Vec<String> = rest.map(|(count, word)| format!("{count} {word}")).collect();
        if rest.is_empty() { lead } else { format!("{lead} ({})", rest.join(", ")) }
    }

    fn tables(&self) -> String {
        let tables = self.tables.iter().map(|it| format!("{} {}", it.table, size(it.bytes_full)));
        format!("when full: {}", tables.collect::<Vec<_>>().join(", "))
    }
}

fn paragraph(f: &mut fmt::Formatter<'_>, check: &Check) -> fmt::Result {
    line(f, check.verdict.as_str(), check.name, &check.finding)?;
    for (label, text) in [("costs", &check.cost), ("do", &check.action)] {
        if let Some(text) = text {
            line(f, "", &format!("  {label}"), text)?;
        }
    }
    Ok(())
}

fn line(f: &mut fmt::Formatter<'_>, verdict: &str, name: &str, text: &str) -> fmt::Result {
    writeln!(f, "{verdict:VERDICT$}{name:NAME$}{text}")
}
