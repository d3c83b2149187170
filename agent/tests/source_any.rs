//! Whatever stands in a file: an answer comes, and points into the file.

use std::fs;

use evermesh_agent::source::{self, SourceError};
use proptest::{prelude::*, sample::Index};

const EXAMPLE: &str = include_str!("../../examples/mesh.yaml");
const ZTUNNEL: &str = include_str!("source/ztunnel.yaml");

/// One slip of somebody who edits a file.
#[derive(Clone, Debug)]
enum Slip {
    Cut(Index),
    Insert(Index, String),
    Remove(Index),
    Repeat(Index),
}

fn slip() -> impl Strategy<Value = Slip> {
    let inserted = prop_oneof!["[-:{}\\[\\]&*!|>'\"#,\t\n 0-9a-z]{1,4}", ".{1,3}"];
    prop_oneof![
        any::<Index>().prop_map(Slip::Cut),
        (any::<Index>(), inserted).prop_map(|(at, text)| Slip::Insert(at, text)),
        any::<Index>().prop_map(Slip::Remove),
        any::<Index>().prop_map(Slip::Repeat),
    ]
}

/// The text afterwards; what is removed or repeated is a line.
fn slipped(text: &str, slip: &Slip) -> String {
    let at = |index: &Index| text.floor_char_boundary(index.index(text.len() + 1));
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    match slip {
        Slip::Cut(index) => return text[..at(index)].to_owned(),
        Slip::Insert(index, inserted) => {
            return [&text[..at(index)], inserted, &text[at(index)..]].concat();
        }
        Slip::Remove(_) | Slip::Repeat(_) if lines.is_empty() => {}
        Slip::Remove(index) => drop(lines.remove(index.index(lines.len()))),
        Slip::Repeat(index) => {
            let line = index.index(lines.len());
            lines.insert(line, lines[line]);
        }
    }
    lines.concat()
}

proptest! {
    #[test]
    fn any_slip_is_answered(slips in prop::collection::vec(slip(), 1..4), ztunnel: bool) {
        let original = if ztunnel { ZTUNNEL } else { EXAMPLE };
        let text = slips.iter().fold(original.to_owned(), |text, slip| slipped(&text, slip));
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("mesh.yaml");
        fs::write(&file, &text).unwrap();
        match source::read(&file).unwrap().parse() {
            Ok(_) => {}
            Err(SourceError::Wrong(problems)) => {
                prop_assert!(!problems.is_empty());
                // In YAML a carriage return ends a line by itself too.
                let lines = text.split(['\n', '\r']).count() + 1;
                for problem in problems.listed() {
                    prop_assert!((1..=lines).contains(&(problem.line as usize)), "{}", problem);
                    prop_assert_eq!(&problem.file, &file);
                }
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}
