use super::{
    collection,
    path::Path,
    report::Report,
    yaml::{Entry, Node, Plain, Value},
};

/// A map with a known set of fields, read field by field. What nobody asked for by the end is refused.
pub(super) struct Fields<'a> {
    entries: &'a [Entry<'a>],
    line: u32,
    path: &'a Path<'a>,
    asked: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    pub fn of(node: &'a Node<'a>, path: &'a Path<'a>, report: &mut Report) -> Option<Self> {
        let entries = collection::entries(node, path, report)?;
        Some(Self { entries, line: node.line, path, asked: Vec::with_capacity(32) })
    }

    /// A field that may be left out.
    pub fn optional<T>(
        &mut self,
        name: &'static str,
        report: &mut Report,
        read: impl FnOnce(&Node<'_>, &Path<'_>, &mut Report) -> Option<T>,
    ) -> Option<T> {
        let node = self.ask(name)?;
        read(node, &Path::Field(self.path, name), report)
    }

    /// A field that may be left out or be empty (`null`).
    pub fn nullable<T>(
        &mut self,
        name: &'static str,
        report: &mut Report,
        read: impl FnOnce(&Node<'_>, &Path<'_>, &mut Report) -> Option<T>,
    ) -> Option<T> {
        let node = self.ask(name).filter(|node| !is_null(node))?;
        read(node, &Path::Field(self.path, name), report)
    }

    /// A field that must be there; `hint` says what to write.
    pub fn required<T>(
        &mut self,
        name: &'static str,
        hint: &str,
        report: &mut Report,
        read: impl FnOnce(&Node<'_>, &Path<'_>, &mut Report) -> Option<T>,
    ) -> Option<T> {
        let path = Path::Field(self.path, name);
        match self.ask(name) {
            Some(node) => read(node, &path, report),
            None => report.refuse(self.line, path, format_args!("is missing: {hint}")),
        }
    }

    /// Refuses a field for what stands in others.
    pub fn refuse<T>(&self, name: &str, reason: &str, report: &mut Report) -> Option<T> {
        let line = self.find(name).map_or(self.line, |entry| entry.key.line);
        report.refuse(line, Path::Field(self.path, name), reason)
    }

    /// Refuses the fields that nobody asked for.
    pub fn finish(self, report: &mut Report) {
        for entry in self.entries {
            let name = entry.key.scalar().unwrap_or_default();
            if !self.asked.contains(&name) {
                let path = Path::Field(self.path, name);
                report.refuse::<()>(entry.key.line, &path, unknown(name, &self.asked));
            }
        }
    }

    fn ask(&mut self, name: &'static str) -> Option<&'a Node<'a>> {
        self.asked.push(name);
        self.find(name).map(|entry| &entry.value)
    }

    fn find(&self, name: &str) -> Option<&'a Entry<'a>> {
        self.entries.iter().find(|entry| entry.key.scalar() == Some(name))
    }
}

fn is_null(node: &Node<'_>) -> bool {
    matches!(&node.value, Value::Plain(text) if Plain::of(text) == Plain::Nothing)
}

fn unknown(name: &str, known: &[&str]) -> String {
    if name == "<<" {
        return "merge keys are not supported: write the fields out".into();
    }
    match nearest(name, known) {
        Some(near) => format!("unknown field: did you mean `{near}`?"),
        None => format!("unknown field: remove it, or use one of {}", known.join(", ")),
    }
}

/// The name that was most likely meant, if any is near.
pub(super) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain = |text: &str| text.replace(['_', '-'], "").to_lowercase();
    let distance = |near: &str| strsim::damerau_levenshtein(&plain(near), &plain(name));
    let nearest = known.iter().map(|near| (distance(near), *near)).min()?;
    (nearest.0 <= 1.max(name.len() / 4)).then_some(nearest.1)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_misspelt_name_finds_its_original() {
        let known = ["workloadIps", "namespace", "node", "name"];
        assert_eq!(nearest("workload_ips", &known), Some("workloadIps"));
        assert_eq!(nearest("workloadIPs", &known), Some("workloadIps"));
        assert_eq!(nearest("nmespace", &known), Some("namespace"));
        assert_eq!(nearest("nodes", &known), Some("node"));
        assert_eq!(nearest("selector", &known), None);
    }
}
