use std::{
    env, fmt, fs,
    path::PathBuf,
    process,
    str::FromStr,
    sync::atomic::{AtomicU32, Ordering},
};

const PREFIX: &str = "evermesh-sandbox";

/// Name of a sandbox's directory and cgroup: its owner's process id and start time (clock ticks since boot, so a
/// reused process id is told apart), and a counter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SandboxName {
    pid: u32,
    start_ticks: u64,
    number: u32,
}

static NEXT: AtomicU32 = AtomicU32::new(0);

impl SandboxName {
    /// A new one, owned by this process.
    pub(crate) fn next() -> Self {
        let pid = process::id();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { pid, start_ticks: start_ticks(pid).unwrap_or(0), number }
    }

    /// Whether the process that made it still runs.
    pub fn owner_lives(&self) -> bool {
        start_ticks(self.pid) == Some(self.start_ticks)
    }

    pub(crate) fn directory(&self) -> PathBuf {
        env::temp_dir().join(self.to_string())
    }
}

/// Field 22 of `/proc/PID/stat`, counted from behind the command name, which may hold anything. A zombie has
/// ended: it owns nothing any more.
fn start_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let state = fields.next()?;
    if state == "Z" || state == "X" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

impl fmt::Display for SandboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}-{}-{}-{}", self.pid, self.start_ticks, self.number)
    }
}

impl FromStr for SandboxName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let rest = text.strip_prefix(PREFIX).and_then(|t| t.strip_prefix('-')).ok_or(())?;
        let mut parts = rest.split('-');
        let mut part = || parts.next().ok_or(());
        Ok(Self {
            pid: part()?.parse().map_err(drop)?,
            start_ticks: part()?.parse().map_err(drop)?,
            number: part()?.parse().map_err(drop)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_survives_its_text() {
        let name = SandboxName::next();
        assert_eq!(name.to_string().parse(), Ok(name));
    }

    #[test]
    fn this_process_owns_its_names() {
        assert!(SandboxName::next().owner_lives());
    }

    #[test]
    fn a_reused_process_id_is_another_owner() {
        let name = SandboxName { start_ticks: 1, ..SandboxName::next() };
        assert!(!name.owner_lives());
    }

    #[test]
    fn foreign_names_are_no_sandboxes() {
        for text in ["", "evermesh-sandbox", "evermesh-sandbox-1-2", "evermesh-sandbox-a-b-c", "kubepods"] {
            assert_eq!(text.parse::<SandboxName>(), Err(()), "{text}");
        }
    }
}
