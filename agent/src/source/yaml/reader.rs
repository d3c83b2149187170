use std::{collections::HashMap, fmt::Display, rc::Rc};

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use super::{Entry, Node, Value};

/// Lists and maps inside each other; the format itself needs seven.
const NESTING_MAX: usize = 64;
/// Values that all aliases of a file may stand for together: more is an alias of aliases of aliases.
const ALIASED_VALUES_MAX: usize = 1_000_000;

/// Where and why a text stops being YAML.
#[derive(Debug)]
pub(in crate::source) struct Fault {
    /// Counted from 1.
    pub line: u32,
    /// The section or item it happened in; empty: outside of all.
    pub field: String,
    pub reason: String,
}

type Step<T> = Result<T, Fault>;

/// Reads a text value by value, so that the tree of a large file never stands in memory at once.
pub(in crate::source) struct Reader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    anchors: HashMap<usize, Anchored<'t>>,
    aliased: usize,
}

struct Anchored<'t> {
    node: Rc<Node<'t>>,
    weight: usize,
}

impl<'t> Reader<'t> {
    pub fn new(text: &'t str) -> Self {
        let options = granit_parser::options! {
            flow_nesting_limit: NESTING_MAX,
            block_nesting_limit: NESTING_MAX,
        };
        let parser = Parser::new_from_str_with_options(text, options);
        Self { parser, anchors: HashMap::new(), aliased: 0 }
    }

    /// Goes to the root of the next document, if there is one.
    pub fn next_document(&mut self) -> Step<bool> {
        loop {
            match self.event()? {
                (Event::DocumentStart(..), _) => return Ok(true),
                (Event::StreamEnd, _) => return Ok(false),
                _ => {}
            }
        }
    }

    /// Enters a map, if one is next.
    pub fn enter_map(&mut self) -> Step<bool> {
        self.enter(|event| matches!(event, Event::MappingStart(..)))
    }

    /// Enters a list, if one is next.
    pub fn enter_list(&mut self) -> Step<bool> {
        self.enter(|event| matches!(event, Event::SequenceStart(..)))
    }

    /// The next value of the list or the next key of the map that was entered; leaves it at its end.
    pub fn next_inside(&mut self) -> Step<Option<Node<'t>>> {
        match self.event()? {
            (Event::SequenceEnd | Event::MappingEnd, _) => Ok(None),
            (event, span) => self.node_of(event, span).map(Some),
        }
    }

    /// The next value, whole.
    pub fn node(&mut self) -> Step<Node<'t>> {
        let (event, span) = self.event()?;
        self.node_of(event, span)
    }

    fn enter(&mut self, wanted: impl Fn(&Event<'_>) -> bool) -> Step<bool> {
        match self.parser.peek() {
            Some(Ok((event, _))) if wanted(event) => self.event().map(|_| true),
            Some(Ok(_)) | None => Ok(false),
            Some(Err(error)) => Err(Fault::from(error)),
        }
    }

    fn event(&mut self) -> Step<(Event<'t>, Span)> {
        match self.parser.next_event() {
            Some(event) => event.map_err(Fault::from),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node_of(&mut self, event: Event<'t>, span: Span) -> Step<Node<'t>> {
        let line = line(span.start.line());
        let (value, anchor, tag) = match event {
            Event::Alias(anchor) => return self.alias(anchor, line),
            Event::Scalar(text, ScalarStyle::Plain, anchor, tag) => (Value::Plain(text), anchor, tag),
            Event::Scalar(text, _, anchor, tag) => (Value::Quoted(text), anchor, tag),
            Event::SequenceStart(_, anchor, tag) => (Value::List(self.items()?), anchor, tag),
            Event::MappingStart(_, anchor, tag) => (Value::Map(self.entries()?), anchor, tag),
            _ => return Err(Fault::at(line, "a value is missing here")),
        };
        let node = tagged(Node { line, value }, tag.as_deref());
        if anchor != 0 {
            let (weight, node) = (node.weight(), Rc::new(node.clone()));
            self.anchors.insert(anchor, Anchored { node, weight });
        }
        Ok(node)
    }

    fn items(&mut self) -> Step<Vec<Node<'t>>> {
        let mut items = Vec::new();
        while let Some(item) = self.next_inside()? {
            items.push(item);
        }
        Ok(items)
    }

    fn entries(&mut self) -> Step<Vec<Entry<'t>>> {
        let mut entries = Vec::new();
        while let Some(key) = self.next_inside()? {
            entries.push(Entry { key, value: self.node()? });
        }
        Ok(entries)
    }

    fn alias(&mut self, anchor: usize, line: u32) -> Step<Node<'t>> {
        let Some(Anchored { node, weight }) = self.anchors.get(&anchor) else {
            let reason = "this alias stands inside of what it refers to, or refers to a whole section: \
                          write the value out";
            return Err(Fault::at(line, reason));
        };
        self.aliased += weight;
        if self.aliased > ALIASED_VALUES_MAX {
            let reason = format!(
                "the aliases of this file stand for more than {ALIASED_VALUES_MAX} values: write them out"
            );
            return Err(Fault::at(line, reason));
        }
        Ok(Node::clone(node))
    }
}

fn tagged<'t>(node: Node<'t>, tag: Option<&Tag>) -> Node<'t> {
    let Some(tag) = tag else { return node };
    let (line, value) = match (tag.is_yaml_core_schema(), node.value) {
        (true, Value::Plain(text)) if tag.suffix() == "str" => (node.line, Value::Quoted(text)),
        (true, value) => (node.line, value),
        (false, value) => {
            let inner = Box::new(Node { line: node.line, value });
            (node.line, Value::Tagged(tag.suffix().to_owned(), inner))
        }
    };
    Node { line, value }
}

fn line(line: usize) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}

impl Fault {
    fn at(line: u32, reason: impl Into<String>) -> Self {
        Self { line, field: String::new(), reason: reason.into() }
    }

    /// Says where it happened, unless that is said more closely already.
    pub fn inside(self, field: impl Display) -> Self {
        if self.field.is_empty() { Self { field: field.to_string(), ..self } } else { self }
    }
}

impl From<ScanError> for Fault {
    fn from(error: ScanError) -> Self {
        let (line, info) = (line(error.marker().line()), error.info());
        let advice = match error.kind() {
            ErrorKind::RecursionLimitExceeded => "nothing in a mesh is nested this deep",
            ErrorKind::UnknownAnchor => "define it with `&` before it is used",
            _ if info.contains("tab") => "indent with spaces instead of tabs",
            _ => "check indentation, quotes and brackets in this line and before it",
        };
        Self::at(line, format!("not valid YAML: {info}: {advice}"))
    }
}
