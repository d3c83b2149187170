use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    path::Path,
};

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, SanType};
use serde_json::json;

use crate::{Error, Result, address};

/// Who vouches for everybody in a cluster. Its key is in memory alone.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

/// Who somebody is to the API server.
pub(crate) struct Identity<'a> {
    pub user: &'a str,
    pub group: Option<&'a str>,
    pub addresses: &'a [Ipv4Addr],
}

/// File names in the directory of an identity.
pub(crate) const AUTHORITY: &str = "ca.crt";
pub(crate) const CERTIFICATE: &str = "own.crt";
pub(crate) const KEY: &str = "own.key";
pub(crate) const KUBECONFIG: &str = "kubeconfig";

impl Authority {
    pub fn new() -> Result<Self> {
        let subject = "evermesh-cluster";
        let failed = |source| Error::Certificate { subject: subject.to_owned(), source };
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, subject);
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.self_signed(&key).map_err(failed)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), certificate })
    }

    /// Makes `dir` and puts there what `identity` proves itself by, and a kubeconfig that leads to the API server.
    pub fn issue(&self, identity: &Identity<'_>, dir: &Path) -> Result<()> {
        let failed = |source| Error::Certificate { subject: identity.user.to_owned(), source };
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = identity.params().signed_by(&key, &self.issuer).map_err(failed)?;
        fs::create_dir_all(dir).map_err(Error::path("create", dir))?;
        for (name, content) in [
            (AUTHORITY, self.certificate.clone()),
            (CERTIFICATE, certificate.pem()),
            (KEY, key.serialize_pem()),
            (KUBECONFIG, kubeconfig()),
        ] {
            fs::write(dir.join(name), content).map_err(Error::path("write", dir.join(name)))?;
        }
        Ok(())
    }
}

impl Identity<'_> {
    fn params(&self) -> CertificateParams {
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, self.user);
        if let Some(group) = self.group {
            name.push(DnType::OrganizationName, group);
        }
        let mut params = CertificateParams::default();
        params.distinguished_name = name;
        params.subject_alt_names =
            self.addresses.iter().map(|&ip| SanType::IpAddress(IpAddr::V4(ip))).collect();
        params
    }
}

/// JSON is YAML. Files are named relative to the kubeconfig's own directory, which nodes see elsewhere.
fn kubeconfig() -> String {
    let server = format!("https://{}:{}", address::CONTROL_PLANE, address::API_PORT);
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "cluster", "cluster": {"server": server, "certificate-authority": AUTHORITY}}],
        "users": [{"name": "user", "user": {"client-certificate": CERTIFICATE, "client-key": KEY}}],
        "contexts": [{"name": "cluster", "context": {"cluster": "cluster", "user": "user"}}],
        "current-context": "cluster",
    })
    .to_string()
}

/// Writes a key pair that tokens of service accounts are signed and checked with.
pub(crate) fn write_token_keys(private: &Path, public: &Path) -> Result<()> {
    let failed = |source| Error::Certificate { subject: "service accounts".to_owned(), source };
    let key = KeyPair::generate().map_err(failed)?;
    fs::write(private, key.serialize_pem()).map_err(Error::path("write", private))?;
    fs::write(public, key.public_key_pem()).map_err(Error::path("write", public))
}
