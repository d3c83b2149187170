//! What must outlive a loss of power is on the disk before anything is built on it: seen from outside, by strace.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::sandbox::{Sandbox, until};

/// By which files, directories and the kernel's objects are changed.
const TRACED: &str = "trace=bpf,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,\
                      mkdirat,rmdir,symlink,symlinkat";

/// A system call that has returned.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Call {
    Sync(PathBuf),
    Rename { from: PathBuf, to: PathBuf },
    Other(String),
}

/// Those of each thread, in order.
type Calls = BTreeMap<String, Vec<Call>>;

impl Call {
    fn of(line: &str) -> Option<Self> {
        let (name, rest) = line.split_once('(')?;
        let quoted: Vec<_> = rest.split('"').skip(1).step_by(2).map(PathBuf::from).collect();
        let descriptor = || Some(rest.split_once('<')?.1.split_once('>')?.0);
        Some(match (name, &quoted[..]) {
            _ if !line.ends_with(" = 0") => Self::Other(line.to_owned()),
            ("fsync", _) => Self::Sync(descriptor()?.into()),
            ("rename" | "renameat" | "renameat2", [from, to]) => {
                Self::Rename { from: from.clone(), to: to.clone() }
            }
            _ => Self::Other(line.to_owned()),
        })
    }
}

/// What strace writes with `--follow-forks --decode-fds`. A call is told in two lines where another thread comes in between.
fn calls(trace: &str) -> Calls {
    let (mut calls, mut begun) = (Calls::new(), HashMap::new());
    for (thread, line) in trace.lines().filter_map(|line| line.split_once(' ')) {
        let line = line.trim();
        if let Some(beginning) = line.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, beginning);
            continue;
        }
        let whole = match line.split_once(" resumed>") {
            Some((_, end)) => begun.remove(thread).unwrap_or_default().to_owned() + end,
            None => line.to_owned(),
        };
        calls.entry(thread.to_owned()).or_default().extend(Call::of(&whole));
    }
    calls
}

/// Where a record takes the place of the one before: thread and number of the call.
fn replacements<'a>(calls: &'a Calls, record: &'a Path) -> impl Iterator<Item = (&'a String, usize)> {
    let takes_its_place = move |call: &Call| matches!(call, Call::Rename { to, .. } if to == record);
    calls.iter().flat_map(move |(thread, calls)| {
        let found = calls.iter().enumerate().filter(move |(_, call)| takes_its_place(call));
        found.map(move |(at, _)| (thread, at))
    })
}

/// How often a record was replaced, if each time the thread that did so had its content on the disk right before, and its name
/// right after, before it changed anything else.
fn durably_replaced(calls: &Calls, record: &Path) -> Result<usize, String> {
    let directory = record.parent().unwrap();
    for (thread, at) in replacements(calls, record) {
        let calls = &calls[thread];
        let Call::Rename { from, .. } = &calls[at] else { continue };
        let before = at.checked_sub(1).and_then(|before| calls.get(before));
        let after = calls.get(at + 1);
        for (found, expected) in [(before, from.as_path()), (after, directory)] {
            if found != Some(&Call::Sync(expected.to_owned())) {
                return Err(format!("{}: {found:?} instead of fsync of {expected:?}", record.display()));
            }
        }
    }
    Ok(replacements(calls, record).count())
}

/// The same calls without one of those beside a replacement, for each of them.
fn without_one(calls: &Calls, record: &Path) -> Vec<Calls> {
    let beside = replacements(calls, record).flat_map(|(thread, at)| [(thread, at - 1), (thread, at + 1)]);
    let without = |(thread, at): (&String, usize)| {
        let mut doctored = calls.clone();
        doctored.get_mut(thread).unwrap().remove(at);
        doctored
    };
    beside.map(without).collect()
}

/// What a life did, from the start until the agent was ready, and then to its end.
fn traced(sandbox: &Sandbox, flags: &[&str]) -> Calls {
    let (run, trace) = (sandbox.run(flags), sandbox.path("trace"));
    let mut strace = Command::new("strace");
    // The tracer is no parent, so that this starts the supervisor as ever.
    strace.args(["-D", "--follow-forks", "--seccomp-bpf", "--decode-fds", "--string-limit=0", "-e", TRACED]);
    strace.arg("-o").arg(&trace).arg(run.get_program()).args(run.get_args());
    strace.current_dir(run.get_current_dir().unwrap()).env_remove("RUST_LOG");
    let running = sandbox.start_by(strace);
    let supervisor = running.pid().to_string();
    running.stop();
    // Numbers of few digits are filled up with spaces.
    let over = |(thread, line): (&str, &str)| thread == supervisor && line.trim() == "+++ exited with 0 +++";
    let is_whole = |text: &String| text.lines().filter_map(|line| line.split_once(' ')).any(over);
    let text = || Some(fs::read_to_string(&trace).unwrap()).filter(is_whole);
    calls(&until(text).unwrap())
}

#[test]
fn journal_ledger_and_records_are_on_the_disk_before_anything_follows() {
    let sandbox = Sandbox::new();
    let first = traced(&sandbox, &[]);
    let change = traced(&sandbox, &["--max-endpoints", "30000", "--gate-ms", "300"]);
    let state = fs::canonicalize(sandbox.path("state")).unwrap();
    for (life, name) in
        [(&first, "releases/ledger.json"), (&first, "last-applied"), (&change, "journal"), (&change, "tally")]
    {
        let record = state.join(name);
        let replaced = durably_replaced(life, &record).unwrap();
        println!("{name}: replaced {replaced} times");
        assert!(replaced > 0, "{name}");
        for doctored in without_one(life, &record) {
            assert!(durably_replaced(&doctored, &record).is_err(), "{name}");
        }
    }
}

const TRACE: &str = r#"
7     write(5</s/.journal.a.tmp>, ""..., 24) = 24
7 fsync(5</s/.journal.a.tmp> <unfinished ...>
8 bpf(BPF_MAP_UPDATE_ELEM, {map_fd=9, flags=BPF_ANY}, 32) = 0
7 <... fsync resumed>)              = 0
7 rename("/s/.journal.a.tmp", "/s/journal") = 0
8 bpf(BPF_MAP_UPDATE_ELEM, {map_fd=9, flags=BPF_ANY}, 32) = 0
7 fsync(5</s>) = 0
7 bpf(BPF_LINK_UPDATE, {link_update={link_fd=6, new_prog_fd=7}}, 64) = 0
7 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=1, si_uid=0} ---
7 +++ exited with 0 +++
"#;

/// What these lines say of the journal when the first one is replaced by the second one.
fn journal(line: &str, by: &str) -> Result<usize, String> {
    assert!(TRACE.contains(line), "{line}");
    durably_replaced(&calls(&TRACE.replace(line, by)), Path::new("/s/journal"))
}

#[test]
fn a_trace_without_a_sync_or_with_one_too_late_is_seen() {
    let (content, name) = ("7 <... fsync resumed>)              = 0\n", "7 fsync(5</s>) = 0\n");
    let rename = "7 rename(\"/s/.journal.a.tmp\", \"/s/journal\") = 0\n";
    assert_eq!(journal("", ""), Ok(1));
    for gone in [content, name] {
        assert!(journal(gone, "").is_err(), "{gone}");
        assert!(journal(gone, &gone.replace("= 0", "= -1 EIO (Input/output error)")).is_err(), "{gone}");
    }
    // Written to once more; another thing in between.
    assert!(journal(rename, &format!("7 write(5</s/.journal.a.tmp>, \"\"..., 1) = 1\n{rename}")).is_err());
    assert!(journal(name, &format!("7 bpf(BPF_LINK_UPDATE, {{}}, 64) = 0\n{name}")).is_err());
    assert!(journal(name, "7 fsync(5</elsewhere>) = 0\n").is_err());
}
