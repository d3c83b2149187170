use std::{env, path::PathBuf};

use clap::{Args, ValueEnum};
use evermesh_proto::discovery::Node;
use evermesh_xds_cache::{
    Conversion, OnUnsupported,
    client::{Address, Config, Roots},
    names::RESOLV_CONF,
};
use prost_types::{Struct, Value, value::Kind};

/// Where Istio's agents find what lets them in, mounted by their charts.
const TOKEN: &str = "/var/run/secrets/tokens/istio-token";
const ROOT: &str = "/var/run/secrets/istio/root-cert.pem";
/// Istiod takes this for the address of a node that does not say its own.
const NO_ADDRESS: &str = "1.1.1.1";

/// How the control plane is reached, and what it is told.
#[derive(Args, Clone, Debug, Default)]
pub struct XdsOptions {
    /// Istio's control plane, instead of files: HOST:PORT for TLS, http://HOST:PORT for plain text
    #[arg(long, value_name = "ADDRESS", env = "XDS_ADDRESS", conflicts_with = "config")]
    pub xds_address: Option<Address>,
    /// Certificates that vouch for it [default: /var/run/secrets/istio/root-cert.pem if it is there, else the system's]
    #[arg(long, value_name = "FILE", requires = "xds_address")]
    pub xds_root: Option<PathBuf>,
    /// A bearer token for it, read at each connection [default: /var/run/secrets/tokens/istio-token if it is there]
    #[arg(long, value_name = "FILE", requires = "xds_address")]
    pub xds_token: Option<PathBuf>,
    /// Name of this node's network, as Istio knows it
    #[arg(long, value_name = "NAME", env = "NETWORK", default_value = "")]
    pub network: String,
    /// Name of this node's cluster, as Istio knows it
    #[arg(long, value_name = "NAME", env = "CLUSTER_ID", default_value = "Kubernetes")]
    pub cluster_id: String,
    /// Which name servers are asked where hostnames lead that stand for workloads
    #[arg(long, value_name = "FILE", default_value = RESOLV_CONF)]
    pub resolv_conf: PathBuf,
    /// Traffic for which the control plane asks for what cannot be done: a waypoint, mutual TLS, a policy
    #[arg(long, value_name = "WHAT", value_enum, default_value = "warn")]
    pub on_unsupported: Unsupported,
}

/// What becomes of traffic for which the control plane asks for what cannot be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Unsupported {
    /// It passes as if nothing was asked for, and `status` tells
    #[default]
    Warn,
    /// It is refused
    Refuse,
}

impl XdsOptions {
    /// How a client reaches this control plane, and as which node.
    pub(super) fn client(&self, address: &Address, node: &str) -> Config {
        let there = |path: &str| Some(PathBuf::from(path)).filter(|path| path.is_file());
        let roots = self.xds_root.clone().or_else(|| there(ROOT)).map_or(Roots::System, Roots::File);
        let token = self.xds_token.clone().or_else(|| there(TOKEN));
        Config { address: address.clone(), roots, token, node: self.node(node, |name| env::var(name).ok()) }
    }

    pub(super) fn conversion(&self) -> Conversion {
        let on_unsupported = match self.on_unsupported {
            Unsupported::Warn => OnUnsupported::Warn,
            Unsupported::Refuse => OnUnsupported::Refuse,
        };
        Conversion { network: self.network.as_str().into(), on_unsupported }
    }

    /// As Istiod expects it from the proxy of an ambient node: kind, address, pod and domain, and the same as metadata.
    fn node(&self, node: &str, env: impl Fn(&str) -> Option<String>) -> Node {
        let or = |name, default: &str| env(name).filter(|value| !value.is_empty()).unwrap_or(default.into());
        let address = or("INSTANCE_IP", NO_ADDRESS);
        let (pod, namespace) = (or("POD_NAME", "evermesh"), or("POD_NAMESPACE", "evermesh-system"));
        let fields = [
            ("NAME", pod.as_str()),
            ("NAMESPACE", &namespace),
            ("INSTANCE_IPS", &address),
            ("NODE_NAME", node),
            ("CLUSTER_ID", &self.cluster_id),
            ("NETWORK", &self.network),
        ];
        let text = |value: &str| Value { kind: Some(Kind::StringValue(value.to_owned())) };
        let told = fields.into_iter().filter(|(_, value)| !value.is_empty());
        Node {
            id: format!("ztunnel~{address}~{pod}.{namespace}~{namespace}.svc.cluster.local"),
            metadata: Some(Struct {
                fields: told.map(|(name, value)| (name.to_owned(), text(value))).collect(),
            }),
            user_agent_name: "evermesh".into(),
            user_agent_version: env!("CARGO_PKG_VERSION").into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_says_who_it_is() {
        let options = XdsOptions { cluster_id: "c1".into(), ..XdsOptions::default() };
        let env = |name: &str| (name == "POD_NAMESPACE").then(|| "istio-system".to_owned());
        let node = options.node("node-1", env);
        assert_eq!(node.id, "ztunnel~1.1.1.1~evermesh.istio-system~istio-system.svc.cluster.local");
        let metadata = node.metadata.unwrap().fields;
        assert_eq!(metadata.len(), 5, "{metadata:?}");
        assert_eq!(metadata["NODE_NAME"].kind, Some(Kind::StringValue("node-1".into())));
    }
}
