use std::{
    ffi::OsString,
    io::{self, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf, absolute},
    process::Command,
};

use evermesh_pins::{Table, host};
use evermesh_upgrader::release::{Digest, LAUNCHED_BY, Launch, SUPERVISOR, launch};

use super::upgrade::refuse_takeover;
use crate::{Exit, Failure, args::Directories, args::Run};

/// Becomes the supervisor; returns only if that fails.
pub fn run(directories: &Directories, asked: &Run) -> Result<Exit, Failure> {
    host::require_root()?;
    let own = beside(&std::env::current_exe().map_err(|source| Failure::OwnPath { source })?)?;
    let dir = own.parent().unwrap_or(Path::new("/")).to_owned();
    let (supervisor, launcher) = launched(&directories.state_dir, own);
    // Another release's, which is committed, tries nothing now, and may not know of losses.
    let accept_loss = if launcher.is_none() { asked.accept_loss.as_slice() } else { &[] };
    let arguments = arguments(directories, asked, accept_loss);
    let arguments = arguments.map_err(|source| Failure::WorkingDirectory { source })?;
    if asked.takeover && launcher.is_none() {
        refuse_takeover(directories, &dir, accept_loss)?;
    }
    let mut command = Command::new(&supervisor);
    command.envs(launcher.map(|launcher| (LAUNCHED_BY, launcher.to_string())));
    command.args(arguments).envs(asked.log.as_ref().map(|filter| ("RUST_LOG", filter)));
    Err(Failure::Exec { path: supervisor, source: command.exec() })
}

fn beside(executable: &Path) -> Result<PathBuf, Failure> {
    let path = executable.with_file_name(SUPERVISOR);
    if path.is_file() { Ok(path) } else { Err(Failure::NoSupervisor { path }) }
}

/// The supervisor to become: this release's own, or that of the release which an upgrade has brought.
fn launched(state_dir: &Path, own: PathBuf) -> (PathBuf, Option<Digest>) {
    match launch(state_dir, own.parent().unwrap_or(Path::new("/"))) {
        Launch::Own => (own, None),
        Launch::Committed { supervisor, launcher } => (supervisor, Some(launcher)),
        Launch::InPlace(reason) => {
            // Where this cannot be printed there is nobody to tell.
            let _unseen = writeln!(
                io::stderr(),
                "evermesh: {reason}; the supervisor beside this program runs in its place"
            );
            (own, None)
        }
    }
}

/// What the supervisor is told, `--`, what the agent is told. Paths are made absolute, so that they mean the same
/// wherever a later process stands.
fn arguments(directories: &Directories, asked: &Run, accept_loss: &[Table]) -> io::Result<Vec<OsString>> {
    let mut line = Line::default();
    line.path("--run-dir", &directories.run_dir)?;
    line.path("--state-dir", &directories.state_dir)?;
    line.number("--watchdog-ms", asked.watchdog_ms);
    line.number("--start-timeout-ms", asked.start_timeout_ms);
    line.number("--gate-ms", asked.gate_ms);
    line.number("--gate-failures-permille", asked.gate_failures_permille);
    line.number("--trial-gate-ms", asked.trial_gate_ms);
    line.text("--accept-loss", (!accept_loss.is_empty()).then(|| Table::names(accept_loss)));
    line.0.extend(asked.takeover.then(|| "--takeover".into()));
    line.0.push("--".into());
    line.optional_path("--config", asked.config.as_deref())?;
    let control_plane = &asked.control_plane;
    line.text("--xds-address", control_plane.xds_address.as_ref().map(ToString::to_string));
    line.optional_path("--xds-root", control_plane.xds_root.as_deref())?;
    line.optional_path("--xds-token", control_plane.xds_token.as_deref())?;
    line.text("--network", control_plane.network.clone());
    line.text("--cluster-id", control_plane.cluster_id.clone());
    line.optional_path("--resolv-conf", control_plane.resolv_conf.as_deref())?;
    line.text("--on-unsupported", control_plane.on_unsupported.clone());
    line.path("--state-dir", &directories.state_dir)?;
    line.path("--bpffs", &directories.bpffs)?;
    line.optional_path("--cgroup", directories.cgroup.as_deref())?;
    line.path("--run-dir", &directories.run_dir)?;
    line.text("--node", asked.this_node.node.clone());
    line.number("--lease-ms", asked.this_node.lease_ms);
    line.number("--baseline-ms", asked.baseline_ms);
    line.number("--max-services", asked.room.max_services.map(u64::from));
    line.number("--max-endpoints", asked.room.max_endpoints.map(u64::from));
    line.number("--max-origins", asked.room.max_origins.map(u64::from));
    line.number("--max-udp-origins", asked.room.max_udp_origins.map(u64::from));
    line.number("--max-pods", asked.room.max_pods.map(u64::from));
    Ok(line.0)
}

#[derive(Default)]
struct Line(Vec<OsString>);

impl Line {
    fn path(&mut self, flag: &str, path: &Path) -> io::Result<()> {
        self.0.extend([flag.into(), absolute(path)?.into()]);
        Ok(())
    }

    fn optional_path(&mut self, flag: &str, path: Option<&Path>) -> io::Result<()> {
        path.map_or(Ok(()), |path| self.path(flag, path))
    }

    fn text(&mut self, flag: &str, text: Option<String>) {
        self.0.extend(text.into_iter().flat_map(|text| [flag.into(), text.into()]));
    }

    fn number(&mut self, flag: &str, number: Option<u64>) {
        self.0.extend(number.into_iter().flat_map(|n| [flag.into(), n.to_string().into()]));
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Arguments, Command};

    fn handed_on(line: &str) -> String {
        let parsed = Arguments::try_parse_from(line.split(' ')).unwrap();
        let Command::Run(asked) = parsed.command else { panic!("{line}") };
        arguments(&parsed.directories, &asked, &asked.accept_loss)
            .unwrap()
            .join("\n".as_ref())
            .into_string()
            .unwrap()
    }

    #[test]
    fn defaults_are_handed_on_in_full() {
        insta::assert_snapshot!(handed_on("evermesh run --config /etc/mesh.yaml"));
    }

    #[test]
    fn everything_said_is_handed_on() {
        insta::assert_snapshot!(handed_on(
            "evermesh run --config /m.yaml --state-dir /s --bpffs /b --cgroup /c --run-dir /r --watchdog-ms 300 \
             --start-timeout-ms 400 --gate-ms 500 --gate-failures-permille 6 --baseline-ms 650 --trial-gate-ms 700 \
             --node n1 --lease-ms 30000 --max-services 5 --max-endpoints 6 \
             --max-origins 7000 --max-udp-origins 8000 --max-pods 9000 --takeover --log debug"
        ));
    }

    #[test]
    fn what_may_be_lost_is_for_the_supervisor() {
        let handed_on = handed_on("evermesh run --config /m.yaml --accept-loss origins,udp_origins");
        let (supervisor, agent) = handed_on.split_once("\n--\n").unwrap();
        assert!(supervisor.ends_with("--accept-loss\norigins,udp_origins"), "{supervisor}");
        assert!(!agent.contains("accept-loss"), "{agent}");
    }

    #[test]
    fn a_control_plane_is_handed_on() {
        insta::assert_snapshot!(handed_on(
            "evermesh run --xds-address istiod.istio-system.svc:15012 --xds-root /root.pem --xds-token /token \
             --network n1 --cluster-id c1 --resolv-conf /resolv.conf --on-unsupported refuse"
        ));
    }

    #[test]
    fn relative_paths_are_made_absolute() {
        let here = std::env::current_dir().unwrap().join("m.yaml");
        assert!(handed_on("evermesh run --config m.yaml").contains(here.to_str().unwrap()));
    }
}
