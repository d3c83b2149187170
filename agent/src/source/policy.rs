use evermesh_model::{Policy, PolicyAction, PolicyScope};

use super::{
    collection::list_of,
    fields::Fields,
    json::json,
    path::Path,
    report::Report,
    value::{any_port, name, one_of, range, refuse_kind, text, truth},
    yaml::{Node, Value},
};

/// One item of `policies`.
pub(super) fn policy(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<Policy> {
    let mut fields = Fields::of(node, path, report)?;
    let short = fields.required("name", "write the policy's name", report, name);
    let namespace = fields.required("namespace", "write the policy's namespace", report, name);
    let hint = "write Global, Namespace or WorkloadSelector";
    let scope = fields.required("scope", hint, report, one_of(&SCOPES));
    let action = fields.required("action", "write Allow or Deny", report, one_of(&ACTIONS));
    let rules = fields.required("rules", "write its rules, or `[]`", report, rules);
    let dry_run = fields.optional("dryRun", report, truth).unwrap_or_default();
    fields.finish(report);
    Some(Policy {
        name: short?.into(),
        namespace: namespace?.into(),
        scope: scope?,
        action: action?,
        dry_run,
        rules: rules?,
    })
}

const SCOPES: [(&str, PolicyScope); 3] = [
    ("Global", PolicyScope::Global),
    ("Namespace", PolicyScope::Namespace),
    ("WorkloadSelector", PolicyScope::WorkloadSelector),
];

const ACTIONS: [(&str, PolicyAction); 2] = [("Allow", PolicyAction::Allow), ("Deny", PolicyAction::Deny)];

/// Rules are lists of clauses, which are lists of matches. Checked, and kept as they are.
fn rules(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<serde_json::Value> {
    list_of(list_of(list_of(rule_match)))(node, path, report)?;
    Some(json(node))
}

fn rule_match(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<()> {
    let mut fields = Fields::of(node, path, report)?;
    for name in ["namespaces", "notNamespaces", "principals", "notPrincipals"] {
        fields.optional(name, report, list_of(text_match));
    }
    for name in ["serviceAccounts", "notServiceAccounts"] {
        fields.optional(name, report, list_of(service_account));
    }
    for name in ["sourceIps", "notSourceIps", "destinationIps", "notDestinationIps"] {
        fields.optional(name, report, list_of(range));
    }
    for name in ["destinationPorts", "notDestinationPorts"] {
        fields.optional(name, report, list_of(any_port));
    }
    fields.finish(report);
    Some(())
}

/// `!Exact web` or `Exact: web`.
fn text_match(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<()> {
    let (kind, inner) = match &node.value {
        Value::Tagged(kind, inner) => (Some(kind.as_str()), &**inner),
        Value::Map(entries) if entries.len() == 1 => (entries[0].key.scalar(), &entries[0].value),
        _ => return refuse_kind(node, A_TEXT_MATCH, path, report),
    };
    match kind {
        Some("Exact" | "Prefix" | "Suffix") => text(inner, path, report).map(drop),
        Some("Presence") => Some(()),
        _ => report.refuse(node.line, path, format!("is no match of a text, {A_TEXT_MATCH} is needed")),
    }
}

const A_TEXT_MATCH: &str = "`Exact: TEXT`, `Prefix: TEXT`, `Suffix: TEXT` or `Presence: []`";

fn service_account(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<()> {
    let mut fields = Fields::of(node, path, report)?;
    fields.required("namespace", "write the account's namespace", report, text);
    fields.required("serviceAccount", "write the account's name", report, text);
    fields.finish(report);
    Some(())
}
