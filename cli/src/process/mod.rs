//! The processes of Evermesh, as far as they can be heard.

pub mod agent;
pub mod lone_agent;
pub mod supervisor;

/// Whether a process lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Life {
    /// It answers.
    Running,
    /// It is there and does not answer; why that is believed.
    Silent(String),
    /// It was there.
    Dead,
    /// It was never there since the boot, as far as can be seen.
    Absent,
}

/// What a process says about itself, or said last.
#[derive(Clone, Debug)]
pub struct Heard<Word> {
    /// Whether it lives.
    pub life: Life,
    /// What it says, or said last.
    pub word: Option<Word>,
}

impl Life {
    /// The word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Silent(_) => "silent",
            Self::Dead => "dead",
            Self::Absent => "absent",
        }
    }
}
