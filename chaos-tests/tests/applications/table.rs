//! The table in `docs/applications.md`: each of its rows names the test that tried it and the hooks that ran.

use std::{
    collections::BTreeSet,
    env,
    process::{Command, Stdio},
};

use evermesh_pins::Hook;

const DOCUMENT: &str = include_str!("../../../docs/applications.md");

/// One row, as far as tests know it.
pub struct Row {
    pub hooks: BTreeSet<Hook>,
    pub test: String,
}

/// The row of the test `name`.
pub fn row(name: &str) -> Row {
    rows().find(|row| row.test == name).unwrap_or_else(|| panic!("no row names `{name}`"))
}

/// Rows end with the name of their test; before it stand the hooks.
fn rows() -> impl Iterator<Item = Row> {
    DOCUMENT.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
        let &[_, _, hooks, test] = cells.as_slice() else { return None };
        let test = test.strip_prefix('`')?.strip_suffix('`')?.to_owned();
        Some(Row {
            hooks: hooks.split(", ").filter(|&name| name != "none").flat_map(hooks_of).collect(),
            test,
        })
    })
}

/// `connect4/6` names two hooks.
fn hooks_of(name: &str) -> Vec<Hook> {
    let hook = |name: &str| Hook::by_name(name).unwrap_or_else(|| panic!("`{name}` is no hook"));
    match name.strip_suffix("4/6") {
        Some(kind) => ["4", "6"].map(|family| hook(&format!("{kind}{family}"))).to_vec(),
        None => vec![hook(name)],
    }
}

/// All tests of this program but those of this module.
fn tests() -> BTreeSet<String> {
    let mut list = Command::new(env::current_exe().unwrap());
    let listed = list.args(["--list", "--format", "terse"]).stderr(Stdio::null()).output().unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    let names = text.lines().filter_map(|line| line.strip_suffix(": test"));
    names.filter(|name| !name.starts_with("table::")).map(str::to_owned).collect()
}

#[test]
fn every_row_is_a_test_and_every_test_a_row() {
    let rows: Vec<String> = rows().map(|row| row.test).collect();
    let distinct: BTreeSet<String> = rows.iter().cloned().collect();
    assert_eq!(rows.len(), distinct.len(), "a test has two rows");
    assert_eq!(distinct, tests());
}
