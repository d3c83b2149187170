//! One wrong file each: what a user is told, and that nothing of it is taken.
#![expect(clippy::expect_used, clippy::panic, reason = "a test may panic")]

use std::{fs, path::Path};

use evermesh_agent::source::{self, SourceError};

const WRONG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/source/wrong");

/// What a source says of the file, as if it stood in the current directory.
fn refused(directory: &Path, file: &str) -> String {
    let error = source::read(&directory.join(file)).and_then(source::Raw::parse).expect_err("it is wrong");
    let SourceError::Wrong(problems) = &error else { panic!("{file}: {error:?}") };
    assert!(problems.listed().iter().all(|problem| problem.line > 0));
    error.to_string().replace(&format!("{}/", directory.display()), "")
}

macro_rules! refused {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            let message = refused(WRONG.as_ref(), concat!(stringify!($name), ".yaml"));
            insta::with_settings!({ snapshot_path => "source/wrong", prepend_module_to_snapshot => false, omit_expression => true }, {
                insta::assert_snapshot!(stringify!($name), message);
            });
        })*

        const TESTED: &[&str] = &[$(stringify!($name)),*];
    };
}

refused! {
    alias_bomb,
    alias_of_a_section,
    alias_of_itself,
    bad_address,
    bad_indentation,
    bad_protocol,
    bad_virtual_ip,
    bad_word,
    bad_word_far,
    balancing_algorithm,
    balancing_health_policy,
    balancing_incomplete,
    balancing_mode,
    balancing_scope,
    cut_off,
    empty,
    empty_map,
    field_missing,
    field_without_value,
    gateway,
    key_is_a_list,
    key_twice,
    list_is_text,
    locality,
    map_is_a_list,
    merge_key,
    name_with_space,
    no_protocol,
    no_target_port,
    number_too_large,
    only_comments,
    policy_action,
    policy_match,
    policy_rule_depth,
    policy_twice,
    port_by_name,
    port_in_quotes,
    port_of_workload,
    port_too_high,
    port_twice,
    port_with_leading_zero,
    port_zero,
    revision_is_a_number,
    root_is_a_list,
    root_is_text,
    second_document,
    section_is_a_map,
    section_twice,
    section_without_value,
    service_name_of_workload,
    service_twice,
    several,
    split_empty,
    split_is_a_list,
    split_of_nothing,
    split_share,
    split_twice,
    status,
    tab_indentation,
    target_port,
    text_is_a_list,
    text_is_a_number,
    text_with_line_break,
    truth_value,
    uid_twice,
    unclosed_bracket,
    unclosed_quote,
    unknown_alias,
    unknown_field_far,
    unknown_field_near,
    unknown_section,
    unknown_section_far,
    virtual_ip_is_a_range,
    virtual_ip_multicast,
    virtual_ip_twice,
    virtual_ip_unspecified,
    virtual_ip_v4_mapped,
    workload_without_name,
}

#[test]
fn every_wrong_file_is_tested() {
    let files = fs::read_dir(WRONG).expect("the directory is there");
    let names = files.map(|file| file.expect("it is listed").path());
    let mut yaml: Vec<_> = names.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    yaml.sort();
    let tested: Vec<_> = TESTED.iter().map(|name| Path::new(WRONG).join(format!("{name}.yaml"))).collect();
    assert_eq!(yaml, tested);
}

/// Puts these bytes into a file and says how they are refused.
fn refused_bytes(bytes: &[u8]) -> String {
    let directory = tempfile::tempdir().expect("a directory can be made");
    fs::write(directory.path().join("mesh.yaml"), bytes).expect("a file can be written");
    refused(directory.path(), "mesh.yaml")
}

#[test]
fn bytes_that_are_not_utf8() {
    let message = refused_bytes(b"services:\n  - name: caf\xe9\n");
    insta::assert_snapshot!(message, @"mesh.yaml:2: holds bytes that are not UTF-8: save the file as UTF-8");
}

#[test]
fn utf16() {
    let text: Vec<u8> = "services: []\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    insta::assert_snapshot!(refused_bytes(&[&b"\xff\xfe"[..], &text].concat()), @"mesh.yaml:1: holds bytes that are not UTF-8: save the file as UTF-8");
}

#[test]
fn lists_inside_of_lists_without_end() {
    let message = refused_bytes(format!("services: {}", "[".repeat(100_000)).as_bytes());
    insta::assert_snapshot!(message, @"mesh.yaml:1: services[0]: not valid YAML: recursion limit exceeded: nothing in a mesh is nested this deep");
}

#[test]
fn more_problems_than_anybody_reads() {
    let workloads =
        (0..50).map(|n| format!("  - {{name: w{n}, namespace: demo, workloadIps: [], node: {n}}}\n"));
    let message = refused_bytes(format!("workloads:\n{}", workloads.collect::<String>()).as_bytes());
    assert_eq!(message.lines().count(), 21);
    assert!(message.ends_with("\nand 30 more"), "{message}");
}
