use std::borrow::Cow;

/// One YAML value and the line it stands on.
#[derive(Clone, Debug)]
pub(in crate::source) struct Node<'t> {
    /// Counted from 1.
    pub line: u32,
    pub value: Value<'t>,
}

#[derive(Clone, Debug)]
pub(in crate::source) enum Value<'t> {
    /// A scalar without quotes: text, unless it reads as something else.
    Plain(Cow<'t, str>),
    /// A scalar in quotes, as a block, or tagged as text.
    Quoted(Cow<'t, str>),
    List(Vec<Node<'t>>),
    Map(Vec<Entry<'t>>),
    /// A value under a tag of its own (`!Exact web`), which names one kind among several.
    Tagged(String, Box<Node<'t>>),
}

/// One key of a map and its value. Keys may repeat here; who reads the map refuses that.
#[derive(Clone, Debug)]
pub(in crate::source) struct Entry<'t> {
    pub key: Node<'t>,
    pub value: Node<'t>,
}

impl<'t> Node<'t> {
    /// The characters of a scalar.
    pub fn scalar(&self) -> Option<&str> {
        match &self.value {
            Value::Plain(text) | Value::Quoted(text) => Some(text),
            Value::List(_) | Value::Map(_) | Value::Tagged(..) => None,
        }
    }

    /// The value of a map's field.
    pub fn field(&self, name: &str) -> Option<&Node<'t>> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().find(|entry| entry.key.scalar() == Some(name)).map(|entry| &entry.value)
    }

    /// The value at a place of a list.
    pub fn item(&self, index: usize) -> Option<&Node<'t>> {
        let Value::List(items) = &self.value else { return None };
        items.get(index)
    }

    /// How many values it is made of, itself included.
    pub fn weight(&self) -> usize {
        1 + match &self.value {
            Value::Plain(_) | Value::Quoted(_) => 0,
            Value::List(items) => items.iter().map(Node::weight).sum(),
            Value::Map(entries) => entries.iter().map(|e| e.key.weight() + e.value.weight()).sum(),
            Value::Tagged(_, inner) => inner.weight(),
        }
    }

    /// What to call it when something else was wanted.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Plain(text) => Plain::of(text).kind(),
            Value::Quoted(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
            Value::Tagged(..) => "a tagged value",
        }
    }
}

/// What a scalar without quotes reads as, by the core schema of YAML 1.2 (`no` and `on` are text).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::source) enum Plain<'a> {
    Nothing,
    Boolean(bool),
    Integer(i64),
    Number(f64),
    Text(&'a str),
}

impl<'a> Plain<'a> {
    pub fn of(text: &'a str) -> Self {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => Self::Nothing,
            "true" | "True" | "TRUE" => Self::Boolean(true),
            "false" | "False" | "FALSE" => Self::Boolean(false),
            _ => Self::number(text).unwrap_or(Self::Text(text)),
        }
    }

    fn number(text: &str) -> Option<Self> {
        let numeric = |b: u8| b.is_ascii_digit() || b"+-.eE".contains(&b);
        if !text.bytes().all(numeric) {
            return None;
        }
        let integer = text.parse().ok().map(Self::Integer);
        integer.or_else(|| text.parse().ok().map(Self::Number))
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Boolean(_) => "a truth value",
            Self::Integer(_) | Self::Number(_) => "a number",
            Self::Text(_) => "text",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_read_by_the_core_schema() {
        assert_eq!(Plain::of("~"), Plain::Nothing);
        assert_eq!(Plain::of("True"), Plain::Boolean(true));
        assert_eq!(Plain::of("-8080"), Plain::Integer(-8080));
        assert_eq!(Plain::of("1.20"), Plain::Number(1.2));
        for text in ["no", "on", "inf", "nan", "infinity", "10.96.0.10", "fd00::1", "1.2.3", "-", "e"] {
            assert_eq!(Plain::of(text), Plain::Text(text), "{text}");
        }
    }
}
