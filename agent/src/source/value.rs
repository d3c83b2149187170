//! Readers of single values: each gives the value, or reports what is wrong with it and gives nothing.

use std::{net::IpAddr, num::NonZeroU16, str::FromStr};

use evermesh_model::{ServiceKey, UnusableAddress, VirtualIp};
use ipnet::IpNet;

use super::{
    fields::nearest,
    path::Path,
    report::Report,
    yaml::{Node, Plain, Value},
};

/// Text. What reads as something else needs quotes, so that `node: 1` and `node: "1"` stay two things.
pub(super) fn text(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<String> {
    match &node.value {
        Value::Quoted(text) => printable(text, node.line, path, report),
        Value::Plain(plain) => match Plain::of(plain) {
            Plain::Text(text) => printable(text, node.line, path, report),
            Plain::Nothing => refuse_kind(node, "text", path, report),
            _ => {
                let reason = format!("`{plain}` is {}, text is needed: put it into quotes", node.kind());
                report.refuse(node.line, path, reason)
            }
        },
        _ => refuse_kind(node, "text", path, report),
    }
}

fn printable(text: &str, line: u32, path: &Path<'_>, report: &mut Report) -> Option<String> {
    if text.chars().any(char::is_control) {
        return report.refuse(line, path, "holds a line break or a control character: remove it");
    }
    Some(text.to_owned())
}

/// Text that names something: neither empty nor with spaces or `/` inside.
pub(super) fn name(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<String> {
    let text = text(node, path, report)?;
    if text.is_empty() || text.contains(|c: char| c == '/' || c.is_whitespace()) {
        let reason = format!("`{text}` is not a name: write at least one character, and no space or `/`");
        return report.refuse(node.line, path, reason);
    }
    Some(text)
}

/// `true` or `false`.
pub(super) fn truth(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<bool> {
    match &node.value {
        Value::Plain(text) => match Plain::of(text) {
            Plain::Boolean(value) => Some(value),
            _ => report.refuse(node.line, path, format!("`{text}` is wrong here: write `true` or `false`")),
        },
        _ => refuse_kind(node, "`true` or `false`", path, report),
    }
}

/// A whole number without sign that fits into 32 bits.
pub(super) fn count(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<u32> {
    number(node, "a whole number from 0 to 4294967295", path, report)
}

/// A whole number without sign that fits into 16 bits: a port where 0 means something, or is let pass.
pub(super) fn any_port(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<u16> {
    number(node, "a port from 0 to 65535", path, report)
}

/// A port.
pub(super) fn port(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<u16> {
    number(node, A_PORT, path, report).map(NonZeroU16::get)
}

/// A port that is the key of a map. In quotes too, because JSON has no other keys.
pub(super) fn port_key(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<u16> {
    let text = node.scalar().unwrap_or_default();
    parsed(text, A_PORT, node.line, path, report).map(NonZeroU16::get)
}

const A_PORT: &str = "a port from 1 to 65535";

fn number<T: FromStr>(node: &Node<'_>, wanted: &str, path: &Path<'_>, report: &mut Report) -> Option<T> {
    match &node.value {
        Value::Plain(text) if Plain::of(text) != Plain::Nothing => {
            parsed(text, wanted, node.line, path, report)
        }
        Value::Quoted(text) if text.parse::<T>().is_ok() => {
            let reason = format!("`{text}` is text, {wanted} is needed: remove the quotes");
            report.refuse(node.line, path, reason)
        }
        _ => refuse_kind(node, wanted, path, report),
    }
}

/// Only as people write numbers: a leading zero or sign may mean another base, or a slip.
fn parsed<T: FromStr>(
    text: &str,
    wanted: &str,
    line: u32,
    path: &Path<'_>,
    report: &mut Report,
) -> Option<T> {
    let decimal = text == "0" || text.starts_with(|c: char| ('1'..='9').contains(&c));
    let number = text.parse().ok().filter(|_| decimal);
    number.or_else(|| report.refuse(line, path, format!("`{text}` is wrong here: write {wanted}")))
}

/// An address that a workload can have.
pub(super) fn address(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<IpAddr> {
    let text = text(node, path, report)?;
    usable(&text, node.line, path, report)
}

/// `NETWORK/ADDRESS`, `/ADDRESS` or `ADDRESS`.
pub(super) fn virtual_ip(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<VirtualIp> {
    let text = text(node, path, report)?;
    if text.parse::<IpNet>().is_ok() {
        let reason = format!("`{text}` is a range, one address is needed: ranges belong into `cidrVips`");
        return report.refuse(node.line, path, reason);
    }
    let (network, address) = text.split_once('/').unwrap_or(("", &text));
    let address = usable(address, node.line, path, report)?;
    Some(VirtualIp { network: network.into(), address })
}

fn usable(text: &str, line: u32, path: &Path<'_>, report: &mut Report) -> Option<IpAddr> {
    let Ok(address) = text.parse() else {
        let reason = format!("`{text}` is not an IP address: write one like 10.0.0.1 or fd00::1");
        return report.refuse(line, path, reason);
    };
    match UnusableAddress::of(address) {
        Some(reason) => report.refuse(line, path, format!("`{text}` cannot be used: {reason}")),
        None => Some(address),
    }
}

/// `ADDRESS/BITS`.
pub(super) fn range(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<IpNet> {
    let text = text(node, path, report)?;
    let refused = |_| {
        let reason = format!("`{text}` is not a range of addresses: write one like 10.0.0.0/8");
        report.refuse(node.line, path, reason)
    };
    text.parse().map_or_else(refused, Some)
}

/// `NAMESPACE/HOSTNAME`.
pub(super) fn service_key(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<ServiceKey> {
    let text = text(node, path, report)?;
    ServiceKey::try_from(text).map_or_else(|reason| report.refuse(node.line, path, reason), Some)
}

/// One of a fixed set of words.
pub(super) fn one_of<T: Copy>(
    words: &'static [(&'static str, T)],
) -> impl Fn(&Node<'_>, &Path<'_>, &mut Report) -> Option<T> {
    move |node, path, report| {
        let text = text(node, path, report)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        found.or_else(|| report.refuse(node.line, path, no_such_word(&text, words)))
    }
}

fn no_such_word<T>(text: &str, words: &[(&str, T)]) -> String {
    let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
    match nearest(text, &known) {
        Some(near) => format!("`{text}` is not known here: did you mean `{near}`?"),
        None => format!("`{text}` is not known here: write one of {}", known.join(", ")),
    }
}

/// A value of another kind than the wanted one.
pub(super) fn refuse_kind<T>(
    node: &Node<'_>,
    wanted: &str,
    path: &Path<'_>,
    report: &mut Report,
) -> Option<T> {
    let reason = match node.kind() {
        "nothing" => format!("has no value, {wanted} is needed: write one, or remove the field"),
        kind => format!("is {kind}, {wanted} is needed"),
    };
    report.refuse(node.line, path, reason)
}
