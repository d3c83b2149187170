//! A certificate for the server, and the root that clients trust it by.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tonic::transport::Identity;

use super::Error;

/// A root of its own and a certificate signed by it.
#[derive(Debug, Clone)]
pub struct Tls {
    root: String,
    certificate: String,
    key: String,
}

impl Tls {
    /// For a server of these names: DNS names or IP addresses.
    pub fn generate(names: &[&str]) -> Result<Self, Error> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        Self::signed(&names).map_err(|source| Error::Certificate { names, source })
    }

    fn signed(names: &[String]) -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(names)?.signed_by(&key, &root)?;
        Ok(Self { root: root.pem(), certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// The root as PEM: what a client is to trust.
    pub fn root_pem(&self) -> &str {
        &self.root
    }

    pub(super) fn identity(&self) -> Identity {
        Identity::from_pem(&self.certificate, &self.key)
    }
}
