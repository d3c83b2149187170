use std::{
    io,
    net::IpAddr,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

use evermesh_abi::{Address, ENROLLED_NAME_MAX, ENROLLED_REVISION, Enrolled};

use crate::{
    Control, ControlError, PinDir, Table,
    frozen_map::{FrozenMap, FrozenMapError},
    sys::{self, NamespaceCookie, PodNetwork},
};

/// The pods whose traffic is balanced: the frozen map `enrolled`. Written by agent, CLI and CNI plugin alike.
#[derive(Debug)]
pub struct Enrolment {
    map: OwnedFd,
    path: PathBuf,
    control: Control,
}

/// An enrolled pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// The name it was enrolled under.
    pub name: String,
    /// Its network namespace.
    pub cookie: NamespaceCookie,
    /// Its addresses when it was enrolled.
    pub addresses: PodAddresses,
}

/// At most one address of each family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodAddresses {
    /// IPv4.
    pub ipv4: Option<IpAddr>,
    /// IPv6.
    pub ipv6: Option<IpAddr>,
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
    /// Opens the map and checks its layout.
    pub fn open(pins: &PinDir) -> Result<Self, EnrolmentError> {
        let FrozenMap { fd, path, .. } = FrozenMap::open(pins, Table::Enrolled)?;
        Ok(Self { map: fd, path, control: Control::open(pins)? })
    }

    /// Enrols the network namespace behind `namespace` under `name`. Another namespace of that name makes room: a pod that
    /// was started anew. Doing it twice changes nothing.
    pub fn add(&self, name: &str, namespace: &Path) -> Result<Pod, EnrolmentError> {
        if name.is_empty() || name.len() > ENROLLED_NAME_MAX {
            return Err(EnrolmentError::Name { name: name.to_owned() });
        }
        let network = PodNetwork::of(namespace)
            .map_err(|source| EnrolmentError::Namespace { path: namespace.to_owned(), source })?;
        self.control.require_steady()?;
        let earlier = self.named(name)?;
        let pod = Pod { name: name.to_owned(), cookie: network.cookie, addresses: first_of_each(&network) };
        sys::map_update(self.map.as_fd(), &pod.cookie.0, &value_of(&pod)).map_err(|source| {
            match source.raw_os_error() {
                Some(libc::E2BIG) => EnrolmentError::Full { path: self.path.clone() },
                _ => self.failed("write to", source),
            }
        })?;
        for gone in earlier.into_iter().filter(|earlier| earlier.cookie != pod.cookie) {
            self.delete(&gone)?;
        }
        Ok(pod)
    }

    /// What stands in the map for a pod of that name.
    pub fn value(name: &str, network: &PodNetwork) -> Enrolled {
        let addresses = first_of_each(network);
        value_of(&Pod { name: name.to_owned(), cookie: network.cookie, addresses })
    }

    /// Removes the pod of that name. Its connections go on; new ones are not balanced.
    pub fn remove(&self, name: &str) -> Result<Pod, EnrolmentError> {
        self.control.require_steady()?;
        let mut named = self.named(name)?;
        for pod in &named {
            self.delete(pod)?;
        }
        named.pop().ok_or_else(|| EnrolmentError::Unknown { name: name.to_owned() })
    }

    /// All pods, by name.
    pub fn list(&self) -> Result<Vec<Pod>, EnrolmentError> {
        let pairs = sys::map_pairs::<u64, Enrolled>(self.map.as_fd()).map_err(|e| self.failed("list", e))?;
        let mut pods: Vec<Pod> = pairs.iter().map(|(cookie, value)| pod_of(*cookie, value)).collect();
        pods.sort_by(|a, b| (&a.name, a.cookie).cmp(&(&b.name, b.cookie)));
        Ok(pods)
    }

    fn named(&self, name: &str) -> Result<Vec<Pod>, EnrolmentError> {
        Ok(self.list()?.into_iter().filter(|pod| pod.name == name).collect())
    }

    fn delete(&self, pod: &Pod) -> Result<(), EnrolmentError> {
        sys::map_delete(self.map.as_fd(), &pod.cookie.0).map(drop).map_err(|e| self.failed("delete from", e))
    }

    fn failed(&self, step: &'static str, source: io::Error) -> EnrolmentError {
        EnrolmentError::Map { step, path: self.path.clone(), source }
    }
}

fn first_of_each(network: &PodNetwork) -> PodAddresses {
    let first = |v4: bool| network.addresses.iter().copied().find(|address| address.is_ipv4() == v4);
    PodAddresses { ipv4: first(true), ipv6: first(false) }
}

fn value_of(pod: &Pod) -> Enrolled {
    let address = |ip: Option<IpAddr>| ip.map(Address::from).unwrap_or_default();
    let mut value = Enrolled {
        revision: ENROLLED_REVISION,
        name_len: u16::try_from(pod.name.len()).unwrap_or(u16::MAX),
        ipv4: address(pod.addresses.ipv4),
        ipv6: address(pod.addresses.ipv6),
        ..sys::zeroed()
    };
    value.name[..pod.name.len()].copy_from_slice(pod.name.as_bytes());
    value
}

fn pod_of(cookie: u64, value: &Enrolled) -> Pod {
    let name = &value.name[..usize::from(value.name_len).min(ENROLLED_NAME_MAX)];
    let address = |a: Address| (a != Address::default()).then(|| IpAddr::from(a));
    Pod {
        name: String::from_utf8_lossy(name).into_owned(),
        cookie: NamespaceCookie(cookie),
        addresses: PodAddresses { ipv4: address(value.ipv4), ipv6: address(value.ipv6) },
    }
}
