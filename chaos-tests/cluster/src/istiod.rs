use std::{
    env,
    ffi::OsString,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use evermesh_chaos_tests::netns::Netns;

use crate::{Access, Component, Error, Result, address, health, identity::KUBECONFIG};

/// Longer than it takes to read the cluster on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

const NAMESPACE: &str = "istio-system";
const PLAIN: u16 = 15010;
const SECURE: u16 = 15012;
const HEALTH: u16 = 8080;

/// The definitions of Istio's resources stand beside the program, or where this variable says.
const DEFINITIONS_VARIABLE: &str = "EVERMESH_ISTIO_CRDS";
const DEFINITIONS: &str = "crd-all.gen.yaml";

/// What its program is told by variables. Nobody else is there to be elected, and pods get no sidecars.
const VARIABLES: [(&str, &str); 5] = [
    ("PILOT_ENABLE_AMBIENT", "true"),
    ("ENABLE_LEADER_ELECTION", "false"),
    ("INJECT_ENABLED", "false"),
    ("POD_NAME", "istiod"),
    ("POD_NAMESPACE", NAMESPACE),
];

/// A real Istiod: a process beside the API server, which nodes and pods reach. It ends when the handle is dropped.
#[derive(Debug)]
pub struct Istiod {
    access: Access,
    netns: Netns,
    component: Component,
    is_kept: bool,
}

impl Istiod {
    /// The name that its certificate bears.
    pub const NAME: &str = "istiod.istio-system.svc";

    /// Tells the cluster of Istio's resources, and starts `program`, which is Istio's `pilot-discovery`. It serves.
    pub(crate) fn start(access: &Access, netns: &Netns, program: &Path) -> Result<Self> {
        define_resources(access, &definitions(program, env::var_os(DEFINITIONS_VARIABLE))?)?;
        let layout = access.layout();
        let directory = layout.control_plane().join("istiod");
        fs::create_dir_all(&directory).map_err(Error::path("create", &directory))?;
        let program = program.canonicalize().map_err(Error::path("find", program))?;
        let kubeconfig = layout.admin().join(KUBECONFIG);
        let component = Component::new("istiod", program, &layout.log_dir())
            .arguments(["discovery".to_owned(), format!("--kubeconfig={}", kubeconfig.display())])
            .arguments([format!("--grpcAddr=:{PLAIN}"), format!("--secureGRPCAddr=:{SECURE}")])
            .arguments([format!("--httpAddr=:{HEALTH}")])
            .environment(VARIABLES.map(|(name, value)| (name, value.to_owned())))
            .directory(directory);
        let mut istiod = Self { access: access.clone(), netns: netns.clone(), component, is_kept: false };
        istiod.start_again()?;
        Ok(istiod)
    }

    /// Where it serves anybody.
    pub fn address(&self) -> SocketAddr {
        (address::CONTROL_PLANE, PLAIN).into()
    }

    /// Where it serves over TLS, who has a token or a certificate of the mesh.
    pub fn secure_address(&self) -> SocketAddr {
        (address::CONTROL_PLANE, SECURE).into()
    }

    /// Kills it with SIGKILL.
    pub fn stop(&mut self) -> Result<()> {
        self.component.kill()
    }

    /// Starts it after it was stopped. It serves.
    pub fn start_again(&mut self) -> Result<()> {
        self.component.start(self.access.in_control_plane()?)?;
        let (netns, address) = (&self.netns, SocketAddr::from((address::CONTROL_PLANE, HEALTH)));
        self.component.await_ready(PATIENCE, || health::is_well(netns, address, "/ready").then_some(()))
    }

    /// Lets it go on as long as the cluster.
    pub fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Istiod {
    fn drop(&mut self) {
        if !self.is_kept {
            // It fails only if the cluster is gone, and it with it.
            let _ = self.component.kill();
        }
    }
}

fn definitions(program: &Path, named: Option<OsString>) -> Result<PathBuf> {
    let path = named.map_or_else(|| program.with_file_name(DEFINITIONS), PathBuf::from);
    if path.is_file() { Ok(path) } else { Err(Error::NoDefinitions { path, variable: DEFINITIONS_VARIABLE }) }
}

fn define_resources(access: &Access, definitions: &Path) -> Result<()> {
    let file = format!("--filename={}", definitions.display());
    // By the server: some are too long for the note that the client would leave on them.
    access.kubectl(&["apply", "--server-side", &file])?;
    access.kubectl(&["wait", "--for=condition=Established", "--timeout=120s", &file])?;
    let namespace =
        access.kubectl(&["get", "namespace", NAMESPACE, "--ignore-not-found", "--output=name"])?;
    if namespace.is_empty() { access.kubectl(&["create", "namespace", NAMESPACE]).map(drop) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_beside_the_program_unless_they_are_named() {
        let dir = tempfile::TempDir::new().unwrap();
        let (program, beside, named) =
            (dir.path().join("pilot-discovery"), dir.path().join(DEFINITIONS), dir.path().join("named.yaml"));
        let error = definitions(&program, None).unwrap_err().to_string();
        assert!(error.contains(&beside.display().to_string()), "{error}");
        assert!(error.contains(DEFINITIONS_VARIABLE), "{error}");
        for path in [&beside, &named] {
            fs::write(path, "").unwrap();
        }
        assert_eq!(definitions(&program, None).unwrap(), beside);
        assert_eq!(definitions(&program, Some(named.clone().into())).unwrap(), named);
    }
}
