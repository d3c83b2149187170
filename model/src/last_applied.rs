use std::{num::NonZero, panic::resume_unwind, sync::Arc, thread};

use serde::{Deserialize, Serialize, de::Error as _};

use crate::{Names, Policy, Service, Snapshot, Workload};

/// The configuration that was applied last, as it is kept on disk: with it an agent starts without its source, and
/// the command line knows names without an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastApplied {
    /// Where it came from.
    pub source: String,
    /// SHA-256 of the source when it was read.
    pub digest: [u8; 32],
    /// When it was applied: wall clock, milliseconds since 1970.
    pub applied_unix_ms: u64,
    /// What a user should know though it is not wrong.
    pub warnings: Vec<String>,
    /// The mesh.
    pub snapshot: Snapshot,
}

/// The first line of a record. Each other line is a list of workloads.
#[derive(Serialize, Deserialize)]
struct Head {
    source: String,
    digest: [u8; 32],
    applied_unix_ms: u64,
    warnings: Vec<String>,
    services: Vec<Arc<Service>>,
    policies: Vec<Arc<Policy>>,
}

/// Workloads of a line: few enough that the lines of a large mesh keep every processor busy.
const WORKLOADS: usize = 1024;

impl LastApplied {
    /// Name of the record in the state directory.
    pub const RECORD: &str = "last-applied";

    /// As bytes, for a record: lines of JSON.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        let snapshot = &self.snapshot;
        let head = Head {
            source: self.source.clone(),
            digest: self.digest,
            applied_unix_ms: self.applied_unix_ms,
            warnings: self.warnings.clone(),
            services: snapshot.services().cloned().collect(),
            policies: snapshot.policies().cloned().collect(),
        };
        let mut bytes = serde_json::to_vec(&head)?;
        let workloads: Vec<_> = snapshot.workloads().collect();
        for line in workloads.chunks(WORKLOADS) {
            bytes.push(b'\n');
            serde_json::to_writer(&mut bytes, line)?;
        }
        Ok(bytes)
    }

    /// As much of this as takes [no more room](Snapshot::within_the_room_of) than what `fits`. Its digest is that of no source. `None`:
    /// that would be no mesh.
    pub fn within_the_room_of(&self, fits: &Self, stands: &Self) -> Option<Self> {
        let snapshot = self.snapshot.within_the_room_of(&fits.snapshot, &stands.snapshot).ok()?;
        Some(Self { digest: [0; 32], snapshot, ..self.clone() })
    }

    /// From the bytes of a record. The mesh is checked again.
    pub fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let (head, lines) = lines(bytes);
        let head: Head = serde_json::from_slice(head)?;
        let mut names = Names::default();
        head.services.iter().for_each(|service| service.key.clone().share_names(&mut names));
        let snapshot = Snapshot::of_shared(head.services, side_by_side(&lines, &names)?, head.policies)
            .map_err(serde_json::Error::custom)?;
        let Head { source, digest, applied_unix_ms, warnings, .. } = head;
        Ok(Self { source, digest, applied_unix_ms, warnings, snapshot })
    }
}

fn lines(bytes: &[u8]) -> (&[u8], Vec<&[u8]>) {
    let mut begin = 0;
    let ends = memchr::memchr_iter(b'\n', bytes).chain([bytes.len()]);
    let mut lines = ends.map(|end| &bytes[std::mem::replace(&mut begin, end + 1)..end]);
    (lines.next().unwrap_or_default(), lines.collect())
}

type Read<T> = Result<T, serde_json::Error>;

/// The workloads of all lines, which all processors read, as far as threads are to be had: most of a start is this.
fn side_by_side(lines: &[&[u8]], names: &Names) -> Read<Vec<Arc<Workload>>> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = lines.len().div_ceil(threads).max(1);
    thread::scope(|scope| {
        let read = |lines| one_by_one(lines, names.clone());
        let reading =
            |lines| thread::Builder::new().spawn_scoped(scope, move || read(lines)).map_err(|_| lines);
        let readers: Vec<_> = lines.chunks(share).map(reading).collect();
        let shares = readers.into_iter().map(|reader| match reader {
            Ok(reader) => reader.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(lines) => read(lines),
        });
        Ok(shares.collect::<Read<Vec<_>>>()?.into_iter().flatten().flatten().collect())
    })
}

fn one_by_one(lines: &[&[u8]], mut names: Names) -> Read<Vec<Vec<Arc<Workload>>>> {
    let read = |line: &&[u8]| {
        let mut workloads: Vec<Arc<Workload>> = serde_json::from_slice(line)?;
        // All of them: nobody else has one yet.
        let own = workloads.iter_mut().filter_map(Arc::get_mut);
        own.for_each(|workload| workload.share_names(&mut names));
        Ok(workloads)
    };
    lines.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::samples;

    fn record(snapshot: Snapshot) -> LastApplied {
        let source = "/etc/mesh.yaml".to_owned();
        let warnings = vec!["a warning\nof two lines".to_owned()];
        LastApplied { source, digest: [7; 32], applied_unix_ms: 1, warnings, snapshot }
    }

    proptest! {
        #[test]
        fn it_survives_being_written_and_read(snapshot in samples::snapshot()) {
            let record = record(snapshot);
            prop_assert_eq!(LastApplied::decode(&record.encode().unwrap()).unwrap(), record);
        }
    }

    #[test]
    fn it_survives_though_it_is_large() {
        for count in [0, 1, WORKLOADS - 1, WORKLOADS, WORKLOADS + 1, 5 * WORKLOADS] {
            let workloads = (0..count).map(|n| samples::workload(&format!("w{n}"), &["web"]));
            let services = [samples::service("web", &["10.96.0.10"])];
            let record = record(Snapshot::new(services, workloads, []).unwrap());
            assert_eq!(LastApplied::decode(&record.encode().unwrap()).unwrap(), record, "{count}");
        }
    }

    #[test]
    fn workloads_that_are_read_share_the_long_name_of_their_service() {
        let hostname = format!("{}.svc.cluster.local", "web".repeat(9));
        let workloads = (0..2 * WORKLOADS).map(|n| samples::workload(&format!("w{n}"), &[&hostname]));
        let record = record(Snapshot::new([samples::service(&hostname, &[])], workloads, []).unwrap());
        let read = LastApplied::decode(&record.encode().unwrap()).unwrap().snapshot;
        let names: HashSet<_> =
            read.workloads().flat_map(|it| it.services.keys()).map(|it| it.hostname.as_ptr()).collect();
        assert_eq!((read.workload_count(), names.len()), (2 * WORKLOADS, 1));
    }

    #[test]
    fn a_record_that_is_no_mesh_is_refused() {
        let one = record(Snapshot::new([], [samples::workload("w1", &[])], []).unwrap()).encode().unwrap();
        let line = one.split(|byte| *byte == b'\n').next_back().unwrap();
        let error = LastApplied::decode(&[&one, &b"\n"[..], line].concat()).unwrap_err();
        assert!(error.to_string().contains("workload uid `w1` is given twice"), "{error}");
        assert!(LastApplied::decode(&one[..one.len() - 1]).is_err());
        assert!(LastApplied::decode(b"").is_err());
    }
}
