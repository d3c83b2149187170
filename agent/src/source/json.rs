use serde_json::{Map, Number, Value as Json};

use super::yaml::{Entry, Node, Plain, Value};

/// A value as JSON: nothing but line numbers and spelling is lost. A tag becomes the only key of a map.
pub(super) fn json(node: &Node<'_>) -> Json {
    match &node.value {
        Value::Plain(text) => plain(text),
        Value::Quoted(text) => Json::from(text.as_ref()),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(entries) => Json::Object(entries.iter().map(member).collect()),
        Value::Tagged(tag, inner) => Json::Object(Map::from_iter([(tag.clone(), json(inner))])),
    }
}

fn member(entry: &Entry<'_>) -> (String, Json) {
    (entry.key.scalar().unwrap_or_default().to_owned(), json(&entry.value))
}

fn plain(text: &str) -> Json {
    match Plain::of(text) {
        Plain::Nothing => Json::Null,
        Plain::Boolean(value) => Json::from(value),
        Plain::Integer(value) => Json::from(value),
        Plain::Number(value) => Number::from_f64(value).map_or_else(|| Json::from(text), Json::Number),
        Plain::Text(text) => Json::from(text),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::yaml::Reader;

    #[test]
    fn kinds_and_tags_survive() {
        let mut reader = Reader::new("[80, 1.5, '80', no, null, true, !Exact web, {a: []}]");
        reader.next_document().unwrap();
        let node = reader.node().unwrap();
        let expected = json!([80, 1.5, "80", "no", null, true, { "Exact": "web" }, { "a": [] }]);
        assert_eq!(super::json(&node), expected);
    }
}
