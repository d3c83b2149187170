//! The programs a cluster runs: some from Debian's packages, some built from pinned Go modules.

mod cache;
mod go;

use std::{
    env,
    path::{Path, PathBuf},
};

use go::GoModule;

use crate::{Error, Result};

/// What the API server and all others of its kind are built from; the name it is called by selects one.
const KUBERNETES: GoModule = GoModule {
    name: "kubernetes",
    package: ".",
    also_called: &["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kubectl"],
    version_of: "k8s.io/kubernetes",
    version_flags: &["k8s.io/component-base/version.gitVersion", "k8s.io/client-go/pkg/version.gitVersion"],
    sources: &[
        ("go.mod", include_str!("../../kubernetes/go.mod")),
        ("go.sum", include_str!("../../kubernetes/go.sum")),
        ("main.go", include_str!("../../kubernetes/main.go")),
    ],
};

const HELM: GoModule = GoModule {
    name: "helm",
    package: "helm.sh/helm/v3/cmd/helm",
    also_called: &[],
    version_of: "helm.sh/helm/v3",
    version_flags: &["helm.sh/helm/v3/internal/version.version"],
    sources: &[("go.mod", include_str!("../../helm/go.mod")), ("go.sum", include_str!("../../helm/go.sum"))],
};

/// Builds Kubernetes, if that has not been done on this machine.
pub fn build() -> Result<()> {
    KUBERNETES.built().map(drop)
}

/// A program of Kubernetes. The first call ever builds all of them, which takes minutes.
pub(crate) fn kubernetes(name: &str) -> Result<PathBuf> {
    Ok(KUBERNETES.built()?.with_file_name(name))
}

/// Helm. The first call ever builds it.
pub(crate) fn helm() -> Result<PathBuf> {
    HELM.built()
}

/// A program that `package` of Debian installs.
pub(crate) fn installed(name: &str, package: &'static str) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs = env::split_paths(&path).chain(["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(PathBuf::from));
    let found = dirs.map(|dir| dir.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| Error::NoProgram { program: name.to_owned(), package })
}

/// Where Debian puts the plugins that give pods their network.
pub(crate) fn cni_plugins() -> Result<&'static Path> {
    let dir = Path::new("/usr/lib/cni");
    let missing = || Error::NoProgram { program: "ptp".to_owned(), package: "containernetworking-plugins" };
    if dir.join("ptp").is_file() { Ok(dir) } else { Err(missing()) }
}
