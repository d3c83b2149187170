use std::{
    fmt::Display,
    io::{self, Write as _},
};

use clap::ValueEnum;
use comfy_table::{Table, presets};
use serde::Serialize;

use crate::{Exit, Failure};

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// For scripts: one JSON object, with field names that stay.
    Json,
}

#[derive(Serialize)]
struct Complaint {
    error: String,
    exit_code: u8,
}

impl Output {
    /// Writes a result to standard output.
    pub fn show<View: Serialize + Display>(self, view: &View) -> Result<(), Failure> {
        let text = match self {
            Self::Text => view.to_string(),
            Self::Json => serde_json::to_string_pretty(view).map_err(|source| Failure::Json { source })?,
        };
        match writeln!(io::stdout().lock(), "{}", text.trim_end()) {
            // Whoever reads has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(|source| Failure::Print { source }),
        }
    }

    /// Writes to standard error why nothing came of it.
    pub fn complain(self, failure: &Failure) -> Exit {
        let exit = failure.exit();
        // Where even this cannot be printed there is nobody to tell.
        let _unseen = writeln!(io::stderr().lock(), "{}", self.complaint(failure, exit));
        exit
    }

    fn complaint(self, failure: &Failure, exit: Exit) -> String {
        let error = failure.to_string();
        let json = || serde_json::to_string(&Complaint { error: error.clone(), exit_code: exit as u8 });
        match self {
            Self::Json => json().unwrap_or(error),
            Self::Text => format!("error: {error}"),
        }
    }
}

/// Aligned columns under a header.
pub fn columns<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header);
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use evermesh_handover::ClientError;

    use super::*;

    fn failures() -> Vec<Failure> {
        let path = PathBuf::from("/sys/fs/bpf/evermesh");
        let source = || io::Error::from(io::ErrorKind::PermissionDenied);
        vec![
            Failure::NothingLive { path: path.clone() },
            Failure::MissingTable { path: path.join("gen/000001/tables/slots") },
            Failure::Stop(ClientError::Closed),
            Failure::Directory { step: "make", path: "/var/lib/evermesh".into(), source: source() },
            Failure::NoSupervisor { path: "/usr/local/bin/evermesh-supervisor".into() },
            Failure::Exec { path: "/usr/local/bin/evermesh-supervisor".into(), source: source() },
            Failure::OwnPath { source: source() },
            Failure::WorkingDirectory { source: source() },
            Failure::Print { source: source() },
            Failure::NothingKept { reason: None, path: "/var/lib/evermesh/xds".into() },
            Failure::NothingKept {
                reason: Some("no answer within 3000 ms".into()),
                path: "/var/lib/evermesh/xds".into(),
            },
            Failure::NoControlPlane,
            Failure::NoSource,
        ]
    }

    fn complaints(output: Output) -> String {
        let complaint = |failure: &Failure| output.complaint(failure, failure.exit());
        failures().iter().map(complaint).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn failures_are_told_to_people() {
        insta::assert_snapshot!(complaints(Output::Text));
    }

    #[test]
    fn failures_are_told_to_scripts() {
        insta::assert_snapshot!(complaints(Output::Json));
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["a".to_owned(), "long cell".to_owned(), "x".to_owned()]];
        insta::assert_snapshot!(columns(["LONG HEADER", "B", "C"], rows), @r"
        LONG HEADER  B          C
        a            long cell  x
        ");
    }
}
