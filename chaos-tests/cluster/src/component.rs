use std::{
    ffi::OsString,
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use evermesh_chaos_tests::wait;

use crate::{Error, Result, place::Place};

/// How much of a log is told when its component has ended.
const LAST_LINES: usize = 30;

/// A process of the cluster that can be killed and started again. It goes on when the handle is dropped.
#[derive(Debug)]
pub struct Component {
    what: String,
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(&'static str, String)>,
    directory: Option<PathBuf>,
    log: PathBuf,
    child: Option<Child>,
}

impl Component {
    /// Known as `what`, not started yet.
    pub(crate) fn new(what: &str, program: PathBuf, log_dir: &std::path::Path) -> Self {
        let log = log_dir.join(format!("{what}.log"));
        Self {
            what: what.to_owned(),
            program,
            arguments: Vec::new(),
            environment: Vec::new(),
            directory: None,
            log,
            child: None,
        }
    }

    /// With these arguments besides.
    pub(crate) fn arguments<T: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// With these variables besides.
    pub(crate) fn environment(mut self, variables: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        self.environment.extend(variables);
        self
    }

    /// In this directory, where it finds and leaves files of relative names.
    pub(crate) fn directory(self, directory: PathBuf) -> Self {
        Self { directory: Some(directory), ..self }
    }

    /// Starts it in `place`; its output is added to its log.
    pub(crate) fn start(&mut self, place: Place) -> Result<()> {
        let log = File::options().create(true).append(true).open(&self.log);
        let output = log.map_err(Error::path("open", &self.log))?;
        let errors = output.try_clone().map_err(Error::path("open", &self.log))?;
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::null()).stdout(output).stderr(errors);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        place.alone().take(&mut command);
        let child = command.spawn();
        self.child = Some(child.map_err(|source| Error::Spawn { program: self.program.clone(), source })?);
        Ok(())
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Kills it with SIGKILL, and what it started stays.
    pub fn kill(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let killed = child.kill().and_then(|()| child.wait());
        killed.map(drop).map_err(|source| Error::Path { action: "kill", path: self.program.clone(), source })
    }

    /// Polls until `ready`; it is an error if the component ends before.
    pub(crate) fn await_ready<T>(
        &mut self,
        patience: Duration,
        mut ready: impl FnMut() -> Option<T>,
    ) -> Result<T> {
        let what = format!("{} to be ready (its log: {})", self.what, self.log.display());
        wait::until(&what, patience, || match self.ended() {
            Some(status) => Some(Err(self.ended_early(status))),
            None => ready().map(Ok),
        })?
    }

    /// It is an error if it has ended.
    pub(crate) fn expect_alive(&mut self) -> Result<()> {
        self.ended().map_or(Ok(()), |status| Err(self.ended_early(status)))
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut().and_then(|child| child.try_wait().ok().flatten())
    }

    fn ended_early(&self, status: ExitStatus) -> Error {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let log = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n");
        Error::Ended { what: self.what.clone(), status, log }
    }

    /// Takes note of its end, which somebody else has brought about.
    pub(crate) fn reap(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It fails only if it has been waited for already.
            let _ = child.wait();
        }
    }
}
