//! Which pods are enrolled, and who may write that while another map takes the place of `enrolled`.

#[cfg(test)]
mod model;
mod pod;
mod pod_map;
mod turns;

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use evermesh_abi::{ENROLLED_NAME_MAX, control::PHASE_STEADY};

use crate::{Control, ControlError, FrozenMapError, PinDir, Table, sys::PodNetwork};
pub use pod::{Pod, PodAddresses};
pub use pod_map::PodMap;
use turns::{Turn, Turns};

/// The pods whose traffic is balanced: the frozen map `enrolled`. Written by agent and command line alike.
#[derive(Debug)]
pub struct Enrolment {
    pins: PinDir,
    /// None: this is the agent that has all others wait.
    control: Option<Control>,
    patience: Duration,
}

/// Why a pod was not enrolled, removed or listed.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentError {
    /// The name does not fit.
    #[error("pod name `{name}` must have 1 to {ENROLLED_NAME_MAX} bytes, it has {}", name.len())]
    Name {
        /// The name.
        name: String,
    },
    /// No such pod.
    #[error("no pod named `{name}` is enrolled: `evermesh pod list` shows those that are")]
    Unknown {
        /// The name.
        name: String,
    },
    /// The network namespace could not be looked into.
    #[error("cannot look into the network namespace {}: {source}", path.display())]
    Namespace {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The map could not be opened, or is of another release.
    #[error(transparent)]
    Frozen(#[from] FrozenMapError),
    /// There is no room for another pod.
    #[error("{} is full: remove pods that are gone with `evermesh pod remove`", path.display())]
    Full {
        /// The pin.
        path: PathBuf,
    },
    /// Frozen maps cannot be written now.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The system call failed.
    #[error("cannot {step} {}: {source}", path.display())]
    Map {
        /// What was tried.
        step: &'static str,
        /// The pin.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Enrolment {
    /// How long a writer waits while another map takes the place of `enrolled`: longer than a new generation is on trial.
    const PATIENCE: Duration = Duration::from_secs(30);
    const LOOK_EVERY: Duration = Duration::from_millis(20);

    /// Checks that the map can be read and written.
    pub fn open(pins: &PinDir) -> Result<Self, EnrolmentError> {
        let control = Some(Control::open(pins)?);
        let enrolment = Self { pins: pins.clone(), control, patience: Self::PATIENCE };
        enrolment.map().map(|_| enrolment)
    }

    /// For the agent that changes the map itself: it writes without waiting, also into one that is to take its place.
    pub fn of_agent(pins: &PinDir) -> Self {
        Self { pins: pins.clone(), control: None, patience: Duration::ZERO }
    }

    /// The same, and it waits no longer than that.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Enrols the network namespace behind `namespace` under `name`. Another namespace of that name makes room: a pod that
    /// was started anew. Doing it twice changes nothing.
    pub fn add(&self, name: &str, namespace: &Path) -> Result<Pod, EnrolmentError> {
        if name.is_empty() || name.len() > ENROLLED_NAME_MAX {
            return Err(EnrolmentError::Name { name: name.to_owned() });
        }
        let network = PodNetwork::of(namespace)
            .map_err(|source| EnrolmentError::Namespace { path: namespace.to_owned(), source })?;
        let pod = Pod::new(name, &network);
        self.write(|map| {
            let earlier = named(map, name)?;
            map.set(&pod)?;
            let mut gone = earlier.iter().filter(|earlier| earlier.cookie != pod.cookie);
            gone.try_for_each(|gone| map.delete(gone))
        })?;
        Ok(pod)
    }

    /// Removes the pod of that name. Its connections go on; new ones are not balanced.
    pub fn remove(&self, name: &str) -> Result<Pod, EnrolmentError> {
        let mut removed = None;
        self.write(|map| {
            for pod in named(map, name)? {
                map.delete(&pod)?;
                removed = Some(pod);
            }
            Ok(())
        })?;
        removed.ok_or_else(|| EnrolmentError::Unknown { name: name.to_owned() })
    }

    /// All pods, by name.
    pub fn list(&self) -> Result<Vec<Pod>, EnrolmentError> {
        self.map()?.list()
    }

    /// Does that to the map, as often as it takes for it to stand in the one that stays.
    fn write(
        &self,
        mut act: impl FnMut(&PodMap) -> Result<(), EnrolmentError>,
    ) -> Result<(), EnrolmentError> {
        let Some(control) = &self.control else {
            return self.maps()?.iter().try_for_each(act);
        };
        let (begin, mut turns) = (Instant::now(), Turns::default());
        loop {
            self.await_steady(control, begin)?;
            let map = self.map()?;
            match turns.look(map.id()) {
                Turn::Write => act(&map)?,
                Turn::Done => return Ok(()),
            }
        }
    }

    fn await_steady(&self, control: &Control, begin: Instant) -> Result<(), EnrolmentError> {
        loop {
            match control.phase()? {
                PHASE_STEADY => return Ok(()),
                phase if begin.elapsed() >= self.patience => {
                    return Err(ControlError::Phase { phase }.into());
                }
                _ => thread::sleep(Self::LOOK_EVERY),
            }
        }
    }

    fn map(&self) -> Result<PodMap, EnrolmentError> {
        Ok(PodMap::open(&self.pins.frozen_map(Table::Enrolled))?)
    }

    /// The one in use, and those that generations bring.
    fn maps(&self) -> Result<Vec<PodMap>, EnrolmentError> {
        let directory = self.pins.generations();
        let failed = |source| EnrolmentError::Map { step: "list", path: directory.clone(), source };
        let mut maps = vec![self.map()?];
        for entry in fs::read_dir(&directory).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let number = name.to_str().and_then(PinDir::generation_of_name);
            let brought = number.map(|number| self.pins.carried_map(number, Table::Enrolled));
            if let Some(path) = brought.filter(|path| path.exists()) {
                maps.push(PodMap::open(&path)?);
            }
        }
        Ok(maps)
    }
}

fn named(map: &PodMap, name: &str) -> Result<Vec<Pod>, EnrolmentError> {
    Ok(map.list()?.into_iter().filter(|pod| pod.name == name).collect())
}
