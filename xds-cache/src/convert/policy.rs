use evermesh_model::{Policy, PolicyAction, PolicyScope};
use evermesh_proto::security::{self as wire, string_match::MatchType};
use serde_json::{Map, Value, json};

use super::{
    InvalidResource, Meaning, Understood,
    address::{bits, ip},
    invalid::{unknown, wrong},
};
use crate::demand::Demands;

pub(super) fn policy(authorization: wire::Authorization) -> Result<Understood, InvalidResource> {
    let wire::Authorization { name, namespace, scope, action, groups, dry_run, extensions: _ } =
        authorization;
    let scope = match wire::Scope::try_from(scope) {
        Ok(wire::Scope::Global) => PolicyScope::Global,
        Ok(wire::Scope::Namespace) => PolicyScope::Namespace,
        Ok(wire::Scope::WorkloadSelector) => PolicyScope::WorkloadSelector,
        Err(_) => return Err(unknown("scope", scope)),
    };
    let action = match wire::Action::try_from(action) {
        Ok(wire::Action::Allow) => PolicyAction::Allow,
        Ok(wire::Action::Deny) => PolicyAction::Deny,
        Err(_) => return Err(unknown("action", action)),
    };
    let rules = groups.iter().map(group).collect::<Result<Vec<_>, _>>()?.into();
    let policy = Policy { name: name.into(), namespace: namespace.into(), scope, action, dry_run, rules };
    Ok(Understood { meaning: Meaning::Policy(policy), demands: Demands::default() })
}

/// Rules in the form of the file format: lists of clauses, which are lists of matches.
fn group(group: &wire::Group) -> Result<Value, InvalidResource> {
    let clause = |rules: &wire::Rules| rules.matches.iter().map(one).collect::<Result<Value, _>>();
    group.rules.iter().map(clause).collect()
}

fn one(wire: &wire::Match) -> Result<Value, InvalidResource> {
    let wire::Match {
        namespaces,
        not_namespaces,
        service_accounts,
        not_service_accounts,
        principals,
        not_principals,
        source_ips,
        not_source_ips,
        destination_ips,
        not_destination_ips,
        destination_ports,
        not_destination_ports,
        extensions: _,
    } = wire;
    let mut fields = Map::new();
    let mut put = |name: &str, values: Vec<Value>| {
        if !values.is_empty() {
            fields.insert(name.to_owned(), values.into());
        }
    };
    put("namespaces", texts(namespaces)?);
    put("notNamespaces", texts(not_namespaces)?);
    put("serviceAccounts", accounts(service_accounts));
    put("notServiceAccounts", accounts(not_service_accounts));
    put("principals", texts(principals)?);
    put("notPrincipals", texts(not_principals)?);
    put("sourceIps", ranges(source_ips)?);
    put("notSourceIps", ranges(not_source_ips)?);
    put("destinationIps", ranges(destination_ips)?);
    put("notDestinationIps", ranges(not_destination_ips)?);
    put("destinationPorts", destination_ports.iter().map(|port| json!(port)).collect());
    put("notDestinationPorts", not_destination_ports.iter().map(|port| json!(port)).collect());
    Ok(fields.into())
}

fn texts(all: &[wire::StringMatch]) -> Result<Vec<Value>, InvalidResource> {
    let text = |one: &wire::StringMatch| match &one.match_type {
        Some(MatchType::Exact(text)) => Ok(json!({ "Exact": text })),
        Some(MatchType::Prefix(text)) => Ok(json!({ "Prefix": text })),
        Some(MatchType::Suffix(text)) => Ok(json!({ "Suffix": text })),
        Some(MatchType::Presence(())) => Ok(json!({ "Presence": [] })),
        None => Err(InvalidResource::Missing("match_type of a match of a text")),
    };
    all.iter().map(text).collect()
}

fn accounts(all: &[wire::ServiceAccountMatch]) -> Vec<Value> {
    let account = |one: &wire::ServiceAccountMatch| json!({ "namespace": one.namespace, "serviceAccount": one.service_account });
    all.iter().map(account).collect()
}

fn ranges(all: &[wire::Address]) -> Result<Vec<Value>, InvalidResource> {
    let range = |one: &wire::Address| {
        let address = ip("groups.rules.matches.address", &one.address)?;
        match one.length <= bits(address) {
            true => Ok(json!(format!("{address}/{}", one.length))),
            false => {
                Err(wrong("groups.rules.matches.length", format!("{address} has no {} bits", one.length)))
            }
        }
    };
    all.iter().map(range).collect()
}
