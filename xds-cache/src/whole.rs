use crate::Kind;

/// Which kinds are known completely.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Whole([bool; 2]);

impl Whole {
    /// This kind too.
    pub fn insert(&mut self, kind: Kind) {
        self.0[kind as usize] = true;
    }

    /// Whether this kind is.
    pub fn contains(self, kind: Kind) -> bool {
        self.0[kind as usize]
    }

    /// Whether every kind is.
    pub fn is_all(self) -> bool {
        Kind::ALL.into_iter().all(|kind| self.contains(kind))
    }
}
