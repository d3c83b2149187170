use std::{
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
};

use evermesh_pins::{self as pins, Enrolment, host, probe::PodOutside};
use serde::Serialize;

use crate::{
    Exit, Failure,
    args::{Directories, Pod, PodNamespace},
    output::{Output, columns},
};

/// Enrols, removes or lists pods. Needs no process of Evermesh.
pub fn pod(directories: &Directories, output: Output, asked: &Pod) -> Result<Exit, Failure> {
    host::require_root()?;
    let enrolment = Enrolment::open(&directories.pins())?;
    match asked {
        Pod::Add { name, namespace } => {
            let enrolled = enrolment.add(name, &path_of(namespace))?.into();
            output.show(&Added { enrolled })?;
        }
        Pod::Remove { name } => output.show(&Removed { removed: enrolment.remove(name)?.into() })?,
        Pod::List => {
            output.show(&Listed { pods: enrolment.list()?.into_iter().map(PodView::from).collect() })?
        }
    }
    Ok(Exit::Ok)
}

/// What names no directory is a name that `ip netns` knows.
fn path_of(namespace: &PodNamespace) -> PathBuf {
    match (&namespace.netns, namespace.pid) {
        (Some(name), _) if !name.as_os_str().as_encoded_bytes().contains(&b'/') => {
            Path::new("/run/netns").join(name)
        }
        (Some(path), _) => path.clone(),
        (None, pid) => format!("/proc/{}/ns/net", pid.unwrap_or_default()).into(),
    }
}

/// An enrolled pod.
#[derive(Clone, Debug, Serialize)]
pub struct PodView {
    /// The name it was enrolled under.
    pub name: String,
    /// The kernel's number for its network namespace.
    pub netns_cookie: u64,
    /// Its IPv4 address when it was enrolled.
    pub ipv4: Option<IpAddr>,
    /// Its IPv6 address when it was enrolled.
    pub ipv6: Option<IpAddr>,
}

impl From<pins::Pod> for PodView {
    fn from(pod: pins::Pod) -> Self {
        let pins::Pod { name, cookie, addresses: pins::PodAddresses { ipv4, ipv6 } } = pod;
        Self { name, netns_cookie: cookie.0, ipv4, ipv6 }
    }
}

impl fmt::Display for PodView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses: Vec<String> =
            [self.ipv4, self.ipv6].into_iter().flatten().map(|ip| ip.to_string()).collect();
        match addresses.as_slice() {
            [] => write!(f, "{} (without an address)", self.name),
            some => write!(f, "{} ({})", self.name, some.join(", ")),
        }
    }
}

/// An enrolled pod with processes outside of the hooked cgroup.
#[derive(Clone, Debug, Serialize)]
pub struct PodOutsideView {
    /// The name it was enrolled under.
    pub pod: String,
    /// How many processes lie outside.
    pub processes: usize,
    /// One of them.
    pub pid: u32,
    /// Where that one is, from the root of the hierarchy.
    pub cgroup: PathBuf,
}

impl From<&PodOutside> for PodOutsideView {
    fn from(outside: &PodOutside) -> Self {
        let PodOutside { pod, processes, pid, cgroup } = outside.clone();
        Self { pod, processes, pid, cgroup }
    }
}

impl fmt::Display for PodOutsideView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pod, processes, pid, cgroup } = self;
        write!(f, "{pod}: {processes} outside, such as pid {pid} in {}", cgroup.display())
    }
}

#[derive(Serialize)]
struct Added {
    enrolled: PodView,
}

impl fmt::Display for Added {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "enrolled {}", self.enrolled)
    }
}

#[derive(Serialize)]
struct Removed {
    removed: PodView,
}

impl fmt::Display for Removed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "removed {}: its connections go on, new ones are not balanced", self.removed)
    }
}

#[derive(Serialize)]
struct Listed {
    pods: Vec<PodView>,
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pods.is_empty() {
            return f.write_str("no pods are enrolled: `evermesh pod add` enrols one");
        }
        let address = |ip: Option<IpAddr>| ip.map_or_else(|| "-".into(), |ip| ip.to_string());
        let row = |pod: &PodView| {
            [pod.name.clone(), address(pod.ipv4), address(pod.ipv6), pod.netns_cookie.to_string()]
        };
        f.write_str(&columns(["POD", "IPV4", "IPV6", "NETNS COOKIE"], self.pods.iter().map(row)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, ipv4: Option<&str>, ipv6: Option<&str>) -> PodView {
        let address = |text: Option<&str>| text.map(|text| text.parse().unwrap());
        PodView { name: name.into(), netns_cookie: 4711, ipv4: address(ipv4), ipv6: address(ipv6) }
    }

    fn pods() -> Vec<PodView> {
        vec![
            pod("demo/web-1", Some("10.0.0.2"), Some("fd00::2")),
            pod("demo/web-2", Some("10.0.0.13"), None),
            pod("isolated", None, None),
        ]
    }

    #[test]
    fn pods_are_listed_in_columns() {
        insta::assert_snapshot!(Listed { pods: pods() });
        insta::assert_snapshot!("no_pods", Listed { pods: vec![] });
    }

    #[test]
    fn pods_are_listed_as_json() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&Listed { pods: pods() }).unwrap());
    }

    #[test]
    fn what_was_done_is_said() {
        let [one, _, isolated] = pods().try_into().unwrap();
        insta::assert_snapshot!(Added { enrolled: one }, @"enrolled demo/web-1 (10.0.0.2, fd00::2)");
        insta::assert_snapshot!(Removed { removed: isolated }, @"removed isolated (without an address): its connections go on, new ones are not balanced");
    }

    #[test]
    fn a_name_without_a_slash_is_one_of_ip_netns() {
        let named = |netns: &str| path_of(&PodNamespace { netns: Some(netns.into()), pid: None });
        assert_eq!(named("web"), Path::new("/run/netns/web"));
        assert_eq!(named("./web"), Path::new("./web"));
        assert_eq!(named("/proc/7/ns/net"), Path::new("/proc/7/ns/net"));
        assert_eq!(path_of(&PodNamespace { netns: None, pid: Some(7) }), Path::new("/proc/7/ns/net"));
    }
}
