use std::{io, path::PathBuf};

use evermesh_abi::control;

use crate::{
    PinDir, Table,
    frozen_map::{FrozenMap, FrozenMapError},
    sys::WordArray,
};

/// The words of `control`: phase, heartbeat, lease.
#[derive(Debug)]
pub struct Control {
    words: WordArray,
    path: PathBuf,
}

/// Why a word of `control` was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The map could not be opened, or is of another release.
    #[error(transparent)]
    Frozen(#[from] FrozenMapError),
    /// Another map takes the place of a frozen one, or a later release changes them.
    #[error(
        "pods cannot be added or removed now: `enrolled` is carried over into another map (phase {phase}); try again when `evermesh status` \
         does not say so any more, or start the agent, which ends what was interrupted"
    )]
    Phase {
        /// The phase word.
        phase: u64,
    },
    /// The system call failed.
    #[error("cannot {step} {}: {source}", path.display())]
    Word {
        /// Read or write which word.
        step: &'static str,
        /// The pin.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Control {
    /// Opens the pin and checks its layout and revision.
    pub fn open(pins: &PinDir) -> Result<Self, ControlError> {
        let FrozenMap { fd, path, .. } = FrozenMap::open(pins, Table::Control)?;
        Self { words: WordArray::new(fd), path }.checked()
    }

    fn checked(self) -> Result<Self, ControlError> {
        match self.get(control::REVISION, "read the revision from")? {
            0 | control::REVISION_NOW => Ok(self),
            newer => {
                Err(FrozenMapError::Foreign { path: self.path, found: format!("revision {newer}") }.into())
            }
        }
    }

    /// Writes this release's revision into a new map.
    pub fn initialise(&self) -> Result<(), ControlError> {
        self.set(control::REVISION, control::REVISION_NOW, "write the revision to")
    }

    /// The phase word; [`control::PHASE_STEADY`] normally.
    pub fn phase(&self) -> Result<u64, ControlError> {
        self.get(control::PHASE, "read the phase from")
    }

    /// Says what writers of frozen maps may do from now on.
    pub fn set_phase(&self, phase: u64) -> Result<(), ControlError> {
        self.set(control::PHASE, phase, "write the phase to")
    }

    /// When the agent last beat, in nanoseconds of `CLOCK_BOOTTIME`; 0: never.
    pub fn heartbeat_ns(&self) -> Result<u64, ControlError> {
        self.get(control::HEARTBEAT_NS, "read the heartbeat from")
    }

    /// The agent is alive at `now_ns` of `CLOCK_BOOTTIME`.
    pub fn beat(&self, now_ns: u64) -> Result<(), ControlError> {
        self.set(control::HEARTBEAT_NS, now_ns, "write the heartbeat to")
    }

    /// How old the heartbeat may grow before new flows are left alone, in nanoseconds; 0: for ever.
    pub fn lease_ns(&self) -> Result<u64, ControlError> {
        self.get(control::LEASE_NS, "read the lease from")
    }

    /// From now on the heartbeat may grow so old; 0: for ever. Beat first.
    pub fn set_lease(&self, lease_ns: u64) -> Result<(), ControlError> {
        self.set(control::LEASE_NS, lease_ns, "write the lease to")
    }

    fn get(&self, word: u32, step: &'static str) -> Result<u64, ControlError> {
        self.words.get(word).map_err(|source| self.failed(step, source))
    }

    fn set(&self, word: u32, value: u64, step: &'static str) -> Result<(), ControlError> {
        self.words.set(word, value).map_err(|source| self.failed(step, source))
    }

    fn failed(&self, step: &'static str, source: io::Error) -> ControlError {
        ControlError::Word { step, path: self.path.clone(), source }
    }
}
