use imbl::OrdMap;

use super::Name;
use crate::Kind;

/// A resource that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Which.
    pub name: Name,
    /// Why.
    pub reason: String,
}

/// What could not be understood and was not said otherwise since.
#[derive(Clone, Debug, Default)]
pub struct Refused(OrdMap<Name, String>);

/// A control plane that says nothing but nonsense does not fill the memory.
const REMEMBERED: usize = 100;

impl Refused {
    /// Names and reasons; of many, some.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &str)> {
        self.0.iter().map(|(name, reason)| (name, reason.as_str()))
    }

    pub(super) fn blame(&mut self, rejected: &Rejected) {
        if self.0.len() < REMEMBERED || self.0.contains_key(&rejected.name) {
            self.0.insert(rejected.name.clone(), rejected.reason.clone());
        }
    }

    /// Nobody complains of what is gone, known or not; what is given again is blamed again.
    pub(super) fn forgive_gone(&mut self, kind: Kind, removed: &[String], everything: bool) {
        if self.0.is_empty() {
            return;
        }
        if everything {
            self.0 = std::mem::take(&mut self.0).into_iter().filter(|(name, _)| name.kind != kind).collect();
        }
        for name in removed {
            self.0.remove(&Name { kind, name: name.as_str().into() });
        }
    }

    pub(super) fn forgive(&mut self, name: &Name) {
        if !self.0.is_empty() {
            self.0.remove(name);
        }
    }
}
