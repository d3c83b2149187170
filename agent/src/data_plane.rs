use std::{
    error::Error,
    sync::{Arc, mpsc},
    thread,
};

use evermesh_loader::{Applied, ApplyError, Config, DataPlane, Report, Standing, StartError, Started};
use evermesh_model::LastApplied;
use tokio::sync::oneshot;

use crate::{AgentError, message};

/// What the data plane's thread is asked to do.
type Job = Box<dyn FnOnce(&mut DataPlane) + Send>;

/// The thread that owns the data plane. Its calls block, so it has one to itself; jobs are done in the order in which
/// they were given.
#[derive(Clone, Debug)]
pub struct Plane(mpsc::Sender<Job>);

/// The thread has ended by itself: it panicked.
#[derive(Debug)]
pub struct Gone;

/// How the data plane was started.
#[derive(Debug)]
pub struct Begun {
    pub started: Started,
    /// The choice that the tables were led to, if it was one.
    pub applied: Option<Arc<LastApplied>>,
    /// Why a choice before that did not do.
    pub refused: Option<String>,
}

/// What a start may lead the tables to; `None`: they stay as they are.
pub type Choice = Option<Arc<LastApplied>>;

/// A thread that waits to be told what to start with.
#[derive(Debug)]
pub struct Opening {
    choices: mpsc::SyncSender<Vec<Choice>>,
    told: mpsc::Receiver<Result<Begun, StartError>>,
    jobs: mpsc::Sender<Job>,
}

impl Opening {
    /// Starts with the first choice, the best, whose tables can be written. Blocks until that is done.
    pub fn start(self, choices: Vec<Choice>) -> Result<(Plane, Begun), AgentError> {
        self.choices.send(choices).or(Err(AgentError::DataPlaneGone))?;
        let begun = self.told.recv().or(Err(AgentError::DataPlaneGone))??;
        Ok((Plane(self.jobs), begun))
    }
}

impl Plane {
    /// Starts the thread. `ahead`: it reads what stands in the kernel while the choices are still to be found.
    pub fn open(config: Config, ahead: bool) -> Result<Opening, AgentError> {
        let (jobs, inbox) = mpsc::channel::<Job>();
        let (tell, told) = mpsc::sync_channel(1);
        let (choose, chosen) = mpsc::sync_channel::<Vec<Choice>>(1);
        let work = move || {
            let standing = ahead.then(|| Standing::read(config.clone()));
            let Ok(choices) = chosen.recv() else { return };
            let begun = begin(&config, standing, &choices);
            drop(choices);
            let mut plane = match begun {
                Ok((plane, begun)) => tell.send(Ok(begun)).ok().map(|()| plane),
                Err(error) => tell.send(Err(error)).ok().and(None),
            };
            while let (Some(plane), Ok(job)) = (plane.as_mut(), inbox.recv()) {
                job(plane);
            }
        };
        thread::Builder::new().name("data-plane".into()).spawn(work).map_err(AgentError::Thread)?;
        Ok(Opening { choices: choose, told, jobs })
    }

    /// Leads the tables to it.
    pub async fn apply(&self, wanted: Arc<LastApplied>) -> Result<Result<Applied, String>, Gone> {
        self.ask(move |plane| plane.apply(&wanted.snapshot)).await
    }

    /// Compares the tables with what was applied and puts right what differs; how much that was.
    pub async fn audit(&self) -> Result<Result<u64, String>, Gone> {
        self.ask(|plane| plane.audit().map(|done| done.writes)).await
    }

    /// Makes usable again what was freed.
    pub async fn reclaim(&self) -> Result<Result<u64, String>, Gone> {
        self.ask(|plane| plane.reclaim().map(|()| 0)).await
    }

    /// Says in the kernel that the agent is alive.
    pub async fn beat(&self) -> Result<Result<u64, String>, Gone> {
        self.ask(|plane| plane.beat().map(|()| 0)).await
    }

    /// What was seen of the generation on trial; `None`: there is none.
    pub async fn report(&self) -> Result<Result<Option<Report>, String>, Gone> {
        self.ask(DataPlane::report).await
    }

    /// The generation on trial stays.
    pub async fn commit(&self) -> Result<Result<(), String>, Gone> {
        self.ask(DataPlane::commit).await
    }

    /// The generation before the one on trial takes over again.
    pub async fn roll_back(&self, reason: String) -> Result<Result<(), String>, Gone> {
        self.ask(move |plane| plane.roll_back(&reason)).await
    }

    /// Returns once the thread has time: it does not hang.
    pub async fn ping(&self) -> Result<(), Gone> {
        self.ask(|_| Ok::<_, ApplyError>(())).await.map(drop)
    }

    async fn ask<T: Send + 'static, E: Error>(
        &self,
        job: impl FnOnce(&mut DataPlane) -> Result<T, E> + Send + 'static,
    ) -> Result<Result<T, String>, Gone> {
        let (tell, told) = oneshot::channel();
        let job = move |plane: &mut DataPlane| {
            // Whoever asked may be gone: then nobody wants to know.
            let _unheard = tell.send(job(plane).map_err(|error| message::of(&error)));
        };
        self.0.send(Box::new(job)).map_err(|_| Gone)?;
        told.await.map_err(|_| Gone)
    }
}

fn begin(
    config: &Config,
    mut standing: Option<Result<Standing, StartError>>,
    choices: &[Choice],
) -> Result<(DataPlane, Begun), StartError> {
    let mut refused = None;
    let mut left = choices.iter();
    loop {
        let choice = left.next().cloned().flatten();
        let standing = standing.take().unwrap_or_else(|| Standing::read(config.clone()))?;
        match standing.lead_to(choice.as_ref().map(|choice| &choice.snapshot)) {
            Ok((plane, started)) => return Ok((plane, Begun { started, applied: choice, refused })),
            Err(StartError::Apply(error)) if left.len() > 0 => {
                refused.get_or_insert(message::of(&error));
            }
            Err(error) => return Err(error),
        }
    }
}
