use serde::Serialize;

/// What was found about one thing that Evermesh uses, and what follows. Field names stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at; names stay.
    pub name: &'static str,
    pub verdict: Verdict,
    /// What was found.
    pub finding: String,
    /// What it costs the user that it is so.
    pub cost: Option<String>,
    /// What to do about it.
    pub action: Option<String>,
}

/// The graver, the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It could not be looked at.
    Unknown,
    /// Evermesh runs, and not as well as it could.
    Degraded,
    /// Evermesh cannot run, or balances nothing.
    Missing,
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Degraded => "degraded",
            Self::Missing => "missing",
        }
    }
}

impl Check {
    pub fn ok(name: &'static str, finding: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Ok, finding: finding.into(), cost: None, action: None }
    }

    /// `reason`: why it could not be looked at.
    pub fn unknown(name: &'static str, reason: &str) -> Self {
        Self { verdict: Verdict::Unknown, ..Self::ok(name, format!("cannot be looked at: {reason}")) }
    }

    pub fn degraded(name: &'static str, finding: impl Into<String>, cost: &str, action: &str) -> Self {
        Self::wanting(Verdict::Degraded, name, finding.into(), cost, action)
    }

    pub fn missing(name: &'static str, finding: impl Into<String>, cost: &str, action: &str) -> Self {
        Self::wanting(Verdict::Missing, name, finding.into(), cost, action)
    }

    fn wanting(verdict: Verdict, name: &'static str, finding: String, cost: &str, action: &str) -> Self {
        Self { name, verdict, finding, cost: Some(cost.into()), action: Some(action.into()) }
    }
}
