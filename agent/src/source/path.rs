use std::fmt;

/// Where in a document a value stands, as `services[2].ports.80`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Path<'a> {
    Root,
    Field(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(Self::Root, name) => write!(f, "{}", Name(name)),
            Self::Field(parent, name) => write!(f, "{parent}.{}", Name(name)),
            Self::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// In quotes when it would not be seen where it ends.
struct Name<'a>(&'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let simple = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if !self.0.is_empty() && self.0.bytes().all(simple) {
            f.write_str(self.0)
        } else {
            write!(f, "{:?}", self.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_hold_dots_or_slashes_stand_in_quotes() {
        let (root, item);
        let workloads = Path::Field(&Path::Root, "workloads");
        root = Path::Item(&workloads, 3);
        item = Path::Field(&root, "services");
        let service = Path::Field(&item, "demo/web.local");
        assert_eq!(Path::Field(&service, "80").to_string(), r#"workloads[3].services."demo/web.local".80"#);
    }
}
