use std::io::Write;

use crate::{Error, Result, sandbox::Cgroup};

/// This process is one of a pod's for as long as this lives. Also a test that fails must leave: whoever is in a cgroup
/// of the sandbox ends with it.
pub(super) struct Visit;

impl Visit {
    pub fn begin(cgroup: &Cgroup) -> Result<Self> {
        join(cgroup)?;
        Ok(Self)
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if let Err(error) = Cgroup::root().and_then(|root| join(&root)) {
            eprintln!("cannot leave a pod's cgroup: {error}");
        }
    }
}

fn join(cgroup: &Cgroup) -> Result<()> {
    cgroup.open_procs()?.write_all(b"0").map_err(Error::path("join cgroup", cgroup.path()))
}
