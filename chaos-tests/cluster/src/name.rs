use std::{
    fmt, process,
    str::FromStr,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::Error;

/// Sockets stand below the cluster's directory, and their paths may have 107 bytes.
const MAX: usize = 24;

/// What a cluster is known by; part of the name of everything it makes on the machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClusterName(String);

static NEXT: AtomicU32 = AtomicU32::new(0);

impl ClusterName {
    /// One that no other living process uses.
    pub(crate) fn of_this_process() -> Self {
        Self(format!("test-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed)))
    }

    /// Its cgroup, in every hierarchy.
    pub(crate) fn cgroup(&self) -> String {
        format!("evermesh-cluster-{self}")
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ClusterName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let fits = (1..=MAX).contains(&text.len()) && text.bytes().all(allowed);
        if fits && !text.starts_with('-') && !text.ends_with('-') {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::Name { name: text.to_owned(), max: MAX })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_fit_into_paths_are_taken() {
        for text in ["a", "main", "e2e-2", &"x".repeat(MAX)] {
            assert_eq!(text.parse::<ClusterName>().unwrap().to_string(), text);
        }
        assert!(ClusterName::of_this_process().to_string().parse::<ClusterName>().is_ok());
    }

    #[test]
    fn other_names_are_refused() {
        for text in ["", "-a", "a-", "A", "a/b", "..", "a b", &"x".repeat(MAX + 1)] {
            assert!(text.parse::<ClusterName>().is_err(), "{text}");
        }
    }
}
