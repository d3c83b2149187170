use std::{
    collections::BTreeMap,
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use procfs::process::{Process, all_processes};

use crate::{Pod, sys::NamespaceCookie};

/// An enrolled pod with processes whose sockets the hooks never see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodOutside {
    /// Its name.
    pub pod: String,
    /// How many of its processes lie outside of the hooked cgroup.
    pub processes: usize,
    /// One of them: the one with the lowest id.
    pub pid: u32,
    /// The cgroup of that one, from the root of the hierarchy.
    pub cgroup: PathBuf,
}

/// A process of a pod.
struct Member {
    pid: u32,
    pod: String,
    cgroup: PathBuf,
}

/// The pods with processes outside of the cgroup `hooked`, named from the root of the hierarchy as in
/// `/proc/PID/cgroup`; by name. A process that this one may not look at (`CAP_SYS_PTRACE`, `CAP_SYS_ADMIN`), or that
/// ends meanwhile, is passed over.
pub fn outside(pods: &[Pod], hooked: &Path) -> io::Result<Vec<PodOutside>> {
    if pods.is_empty() {
        return Ok(Vec::new());
    }
    let names = pods.iter().map(|pod| (pod.cookie.0, pod.name.as_str())).collect();
    let mut namespaces = Namespaces { names, pods: BTreeMap::new() };
    let processes = all_processes().map_err(io::Error::other)?;
    let members = processes.flatten().filter_map(|process| namespaces.member(&process));
    Ok(grouped(members.filter(|member| !member.cgroup.starts_with(hooked))))
}

/// Which network namespace is which pod's, found out once each.
struct Namespaces<'a> {
    names: BTreeMap<u64, &'a str>,
    pods: BTreeMap<u64, Option<&'a str>>,
}

impl Namespaces<'_> {
    fn member(&mut self, process: &Process) -> Option<Member> {
        let namespace = format!("/proc/{}/ns/net", process.pid);
        let inode = Path::new(&namespace).metadata().ok()?.ino();
        let names = &self.names;
        let pod = self.pods.entry(inode).or_insert_with(|| {
            let cookie = NamespaceCookie::of(Path::new(&namespace)).ok()?;
            names.get(&cookie.0).copied()
        });
        let pod = (*pod)?.to_owned();
        let groups = process.cgroups().ok()?;
        let cgroup = groups.into_iter().find(|group| group.hierarchy == 0)?.pathname.into();
        Some(Member { pid: u32::try_from(process.pid).ok()?, pod, cgroup })
    }
}

fn grouped(members: impl Iterator<Item = Member>) -> Vec<PodOutside> {
    let mut pods = BTreeMap::<String, PodOutside>::new();
    for Member { pid, pod, cgroup } in members {
        let first = PodOutside { pod: pod.clone(), processes: 0, pid, cgroup: cgroup.clone() };
        let seen = pods.entry(pod).or_insert(first);
        seen.processes += 1;
        if pid < seen.pid {
            (seen.pid, seen.cgroup) = (pid, cgroup);
        }
    }
    pods.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(pid: u32, pod: &str, cgroup: &str) -> Member {
        Member { pid, pod: pod.into(), cgroup: cgroup.into() }
    }

    #[test]
    fn a_pod_is_told_once_with_its_lowest_process() {
        let members = [member(9, "b", "/x"), member(7, "a", "/y/deep"), member(8, "b", "/z")];
        let outside = |pod: &str, processes, pid, cgroup: &str| PodOutside {
            pod: pod.into(),
            processes,
            pid,
            cgroup: cgroup.into(),
        };
        let expected = [outside("a", 1, 7, "/y/deep"), outside("b", 2, 8, "/z")];
        assert_eq!(grouped(members.into_iter()), expected);
    }
}
