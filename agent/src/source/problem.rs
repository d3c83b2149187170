use std::{fmt, path::PathBuf};

/// Listed at most; the rest is counted.
const LISTED_MAX: usize = 20;

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// Line of the file, counted from 1.
    pub line: u32,
    /// The field, as `services[2].ports.80`; empty: the whole document.
    pub field: String,
    /// What is wrong, and what to do.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file.display(), self.line)?;
        match self.field.as_str() {
            "" => f.write_str(&self.reason),
            field => write!(f, "{field}: {}", self.reason),
        }
    }
}

/// Everything that is wrong, in the order it was found. Shown one a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    listed: Vec<Problem>,
    more: usize,
}

impl Problems {
    pub(super) fn push(&mut self, problem: Problem) {
        if self.listed.len() < LISTED_MAX {
            self.listed.push(problem);
        } else {
            self.more += 1;
        }
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// The first ones, at most 20.
    pub fn listed(&self) -> &[Problem] {
        &self.listed
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.listed.iter().map(Problem::to_string).collect();
        f.write_str(&lines.join("\n"))?;
        if self.more > 0 { write!(f, "\nand {} more", self.more) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_are_listed_but_all_are_counted() {
        let mut problems = Problems::default();
        for line in 1..=23 {
            let problem =
                Problem { file: "mesh.yaml".into(), line, field: "x".into(), reason: "is bad".into() };
            problems.push(problem);
        }
        let text = problems.to_string();
        assert_eq!(text.lines().count(), 21);
        assert!(text.starts_with("mesh.yaml:1: x: is bad\n"), "{text}");
        assert!(text.ends_with("mesh.yaml:20: x: is bad\nand 3 more"), "{text}");
    }
}
