//! The outermost shape of a file: documents, each a map of sections, each a list of items.

use super::{
    fields::nearest,
    mesh::Mesh,
    path::Path,
    value::refuse_kind,
    yaml::{Fault, Node, Reader, Value},
};

type Add = fn(&mut Mesh, &Node<'_>, &Path<'_>);

const SECTIONS: [(&str, Add); 3] =
    [("services", Mesh::add_service), ("workloads", Mesh::add_workload), ("policies", Mesh::add_policy)];

/// Reads all documents of a file into one mesh, as if each were a file of its own.
pub(super) fn read(text: &str, mesh: &mut Mesh) {
    match documents(&mut Reader::new(text), mesh) {
        Ok(0) => mesh.report.refuse(1, Path::Root, EMPTY).unwrap_or_default(),
        Ok(_) => {}
        Err(fault) => mesh.report.refuse(fault.line, fault.field, fault.reason).unwrap_or_default(),
    }
}

const EMPTY: &str = "has no content, as a file that is just being written: write the mesh, or `services: []` if \
                     it is meant to be empty";

/// How many sections there were. What is wrong inside them is reported, and does not end the reading.
fn documents(reader: &mut Reader<'_>, mesh: &mut Mesh) -> Result<usize, Fault> {
    let mut sections = 0;
    while reader.next_document()? {
        sections += if reader.enter_map()? { map(reader, mesh)? } else { other(reader, mesh)? };
    }
    Ok(sections)
}

fn map(reader: &mut Reader<'_>, mesh: &mut Mesh) -> Result<usize, Fault> {
    let mut lines: Vec<(String, u32)> = Vec::new();
    while let Some(key) = reader.next_inside()? {
        let name = key.scalar().unwrap_or_default();
        if let Some((_, first)) = lines.iter().find(|(known, _)| known == name) {
            let reason =
                format!("stands here twice, first in line {first}: put all items under one of the two");
            mesh.report.refuse::<()>(key.line, Path::Field(&Path::Root, name), reason);
        }
        lines.push((name.to_owned(), key.line));
        section(&key, name, reader, mesh)?;
    }
    Ok(lines.len())
}

/// A document that is empty counts for nothing.
fn other(reader: &mut Reader<'_>, mesh: &mut Mesh) -> Result<usize, Fault> {
    let node = reader.node()?;
    if node.kind() == "nothing" {
        return Ok(0);
    }
    let reason = format!("is {}, a map with `services`, `workloads` or `policies` is needed", node.kind());
    mesh.report.refuse::<()>(node.line, Path::Root, reason);
    Ok(1)
}

fn section(key: &Node<'_>, name: &str, reader: &mut Reader<'_>, mesh: &mut Mesh) -> Result<(), Fault> {
    let path = Path::Field(&Path::Root, name);
    let read = match SECTIONS.iter().find(|(known, _)| *known == name) {
        Some((_, add)) => items(*add, &path, reader, mesh),
        None => {
            mesh.report.refuse::<()>(key.line, path, unknown(name));
            reader.node().map(drop)
        }
    };
    read.map_err(|fault| fault.inside(path))
}

fn unknown(name: &str) -> String {
    match nearest(name, &SECTIONS.map(|(known, _)| known)) {
        Some(near) => format!("unknown section: did you mean `{near}`?"),
        None => "unknown section: a mesh has `services`, `workloads` and `policies`".into(),
    }
}

fn items(add: Add, path: &Path<'_>, reader: &mut Reader<'_>, mesh: &mut Mesh) -> Result<(), Fault> {
    if !reader.enter_list()? {
        let node = reader.node()?;
        whole_section(add, &node, path, mesh);
        return Ok(());
    }
    for index in 0.. {
        let path = Path::Item(path, index);
        match reader.next_inside().map_err(|fault| fault.inside(path))? {
            Some(item) => add(mesh, &item, &path),
            None => break,
        }
    }
    Ok(())
}

/// A section that is not written as a list here, but may be the alias of one.
fn whole_section(add: Add, node: &Node<'_>, path: &Path<'_>, mesh: &mut Mesh) {
    match &node.value {
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                add(mesh, item, &Path::Item(path, index));
            }
        }
        _ => refuse_kind(node, "a list (or `[]`)", path, &mut mesh.report).unwrap_or_default(),
    }
}
