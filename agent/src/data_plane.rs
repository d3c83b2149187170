use std::{
    error::Error,
    mem,
    sync::{Arc, mpsc},
    thread,
};

use evermesh_loader::{
    Applied, ApplyError, Config, DataPlane, Laid, Looked, Report, Standing, StartError, Started,
};
use evermesh_model::LastApplied;
use evermesh_xds_cache::Milestone;
use tokio::{
    sync::{Mutex, oneshot},
    task::spawn_blocking,
};

use crate::{AgentError, core::NotApplied, message, slice};

/// What the data plane's thread is asked to do.
type Job = Box<dyn FnOnce(&mut DataPlane) + Send>;

/// The thread that owns the data plane. Its calls block, so it has one to itself; jobs are done in the order in which
/// they were given.
#[derive(Clone, Debug)]
pub struct Plane {
    jobs: mpsc::Sender<Job>,
    /// One waits at a time for programs to end. Whether one did in vain: what was freed is lost until the tables are read anew.
    waiting: Arc<Mutex<bool>>,
}

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
    wishes: mpsc::SyncSender<Wish>,
    told: mpsc::Receiver<Result<Option<Begun>, StartError>>,
    jobs: mpsc::Sender<Job>,
}

#[derive(Debug)]
enum Wish {
    /// What stands, if it is that.
    AsLaid(Laid),
    /// The best of these.
    Best(Vec<Choice>),
}

impl Opening {
    /// Starts with what stands, if the tables hold what was laid. Blocks until that is known.
    pub fn start_as_laid(self, laid: Laid) -> Result<Result<(Plane, Begun), Self>, AgentError> {
        match self.ask(Wish::AsLaid(laid))? {
            Some(begun) => Ok(Ok((Plane::new(self.jobs), begun))),
            None => Ok(Err(self)),
        }
    }

    /// Starts with the first choice, the best, whose tables can be written. Blocks until that is done.
    pub fn start(self, choices: Vec<Choice>) -> Result<(Plane, Begun), AgentError> {
        let begun = self.ask(Wish::Best(choices))?.ok_or(AgentError::DataPlaneGone)?;
        Ok((Plane::new(self.jobs), begun))
    }

    fn ask(&self, wish: Wish) -> Result<Option<Begun>, AgentError> {
        self.wishes.send(wish).or(Err(AgentError::DataPlaneGone))?;
        Ok(self.told.recv().or(Err(AgentError::DataPlaneGone))??)
    }
}

impl Plane {
    fn new(jobs: mpsc::Sender<Job>) -> Self {
        Self { jobs, waiting: Arc::default() }
    }

    /// Starts the thread. `ahead`: it reads what stands in the kernel, and where that is nothing makes what does not depend on the
    /// choice, while the choices are still to be found.
    pub fn open(config: Config, ahead: bool) -> Result<Opening, AgentError> {
        let (jobs, inbox) = mpsc::channel::<Job>();
        let (tell, told) = mpsc::sync_channel(1);
        let (wish, wishes) = mpsc::sync_channel(1);
        let work = move || {
            let mut standing = ahead.then(|| Standing::read(config.clone()).and_then(Standing::make_ahead));
            let mut plane = None;
            while let (None, Ok(wish)) = (&plane, wishes.recv()) {
                let begun = match wish {
                    Wish::AsLaid(laid) => begin_as_laid(&mut standing, &laid).transpose(),
                    Wish::Best(choices) => begin(&config, standing.take(), &choices).map(Some),
                };
                let told = match begun {
                    Ok(Some((begun_plane, begun))) => {
                        plane = Some(begun_plane);
                        Ok(Some(begun))
                    }
                    Ok(None) => Ok(None),
                    Err(error) => Err(error),
                };
                if tell.send(told).is_err() {
                    return;
                }
            }
            slice::shorten();
            while let (Some(plane), Ok(job)) = (plane.as_mut(), inbox.recv()) {
                job(plane);
            }
        };
        thread::Builder::new().name("data-plane".into()).spawn(work).map_err(AgentError::Thread)?;
        Ok(Opening { wishes: wish, told, jobs })
    }

    /// Leads the tables to it.
    pub async fn apply(&self, wanted: Arc<LastApplied>) -> Result<Result<Applied, NotApplied>, Gone> {
        self.have_done(move |plane| {
            Milestone::Begun.pass();
            let applied = plane.apply(&wanted.snapshot).inspect(|_| Milestone::Obeyed.pass());
            applied.map_err(|error| match error {
                ApplyError::Full(_) => NotApplied::Full(message::of(&error)),
                _ => NotApplied::Failed(message::of(&error)),
            })
        })
        .await
    }

    /// What the tables should hold, if they were led to that last.
    pub async fn laid(&self, applied: Arc<LastApplied>) -> Result<Option<Laid>, Gone> {
        let laid = self.ask(move |plane| Ok::<_, ApplyError>(plane.laid(&applied.snapshot))).await?;
        Ok(laid.ok().flatten())
    }

    /// Compares the tables with what was applied and puts right what differs; how much that was. They are compared in parts, between
    /// which a change goes first; only where something differs are they read anew, and all else waits.
    pub async fn audit(&self) -> Result<Result<u64, String>, Gone> {
        let is_lost = mem::take(&mut *self.waiting.lock().await);
        match !is_lost && self.says_what_was_applied().await? {
            true => Ok(Ok(0)),
            false => self.ask(|plane| plane.audit().map(|done| done.writes)).await,
        }
    }

    async fn says_what_was_applied(&self) -> Result<bool, Gone> {
        let Ok(Some(look)) = self.ask(|plane| Ok::<_, ApplyError>(plane.look())).await? else {
            return Ok(false);
        };
        let Ok(Some(mut look)) = spawn_blocking(move || look.read_keys()).await else { return Ok(false) };
        loop {
            let looked = self.ask(move |plane| Ok::<_, ApplyError>(plane.look_on(look))).await?;
            match looked {
                Ok(Looked::On(rest)) => look = rest,
                Ok(Looked::Same) => return Ok(true),
                Ok(Looked::Differs) | Err(_) => return Ok(false),
            }
        }
    }

    /// Makes usable again what was freed. The thread does other work while programs still run that may hold some of it, and those
    /// who come meanwhile share the next wait.
    pub async fn reclaim(&self) -> Result<Result<u64, String>, Gone> {
        let mut is_lost = self.waiting.lock().await;
        let Ok(Some(freed)) = self.ask(|plane| Ok::<_, ApplyError>(plane.freed())).await? else {
            return Ok(Ok(0));
        };
        let waited = spawn_blocking(move || freed.wait()).await;
        *is_lost |= !matches!(waited, Ok(Ok(_)));
        let reusable = match waited {
            Ok(Ok(reusable)) => reusable,
            Ok(Err(error)) => return Ok(Err(message::of(&error))),
            Err(panicked) => return Ok(Err(panicked.to_string())),
        };
        self.ask(move |plane| {
            plane.reuse(reusable);
            Ok::<_, ApplyError>(0)
        })
        .await
    }

    /// Brings to the disk what generations before have counted, where that failed.
    pub async fn keep_tally(&self) -> Result<Result<u64, String>, Gone> {
        self.ask(|plane| plane.keep_tally().map(|()| 0)).await
    }

    /// Says in the kernel that the agent is alive.
    pub async fn beat(&self) -> Result<Result<u64, String>, Gone> {
        self.ask(|plane| plane.beat().map(|()| 0)).await
    }

    /// What was seen of the generation on trial; `None`: there is none.
    pub async fn report(&self) -> Result<Result<Option<Report>, String>, Gone> {
        self.ask(DataPlane::report).await
    }

    /// The generation on trial stays. What there is to say of that.
    pub async fn commit(&self) -> Result<Result<Vec<String>, String>, Gone> {
        self.ask(|plane| plane.commit().map(|()| plane.take_notes())).await
    }

    /// The generation before the one on trial takes over again. What there is to say of that.
    pub async fn roll_back(&self, reason: String) -> Result<Result<Vec<String>, String>, Gone> {
        self.ask(move |plane| plane.roll_back(&reason).map(|()| plane.take_notes())).await
    }

    /// Returns once the thread has time: it does not hang.
    pub async fn ping(&self) -> Result<(), Gone> {
        self.ask(|_| Ok::<_, ApplyError>(())).await.map(drop)
    }

    async fn ask<T: Send + 'static, E: Error>(
        &self,
        job: impl FnOnce(&mut DataPlane) -> Result<T, E> + Send + 'static,
    ) -> Result<Result<T, String>, Gone> {
        self.have_done(|plane| job(plane).map_err(|error| message::of(&error))).await
    }

    async fn have_done<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut DataPlane) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        let (tell, told) = oneshot::channel();
        let job = move |plane: &mut DataPlane| {
            // Whoever asked may be gone: then nobody wants to know.
            let _unheard = tell.send(job(plane));
        };
        self.jobs.send(Box::new(job)).map_err(|_| Gone)?;
        told.await.map_err(|_| Gone)
    }
}

/// `None`: it takes a model to know what is right.
fn begin_as_laid(
    standing: &mut Option<Result<Standing, StartError>>,
    laid: &Laid,
) -> Option<Result<(DataPlane, Begun), StartError>> {
    let standing = standing.take_if(|found| found.as_ref().is_ok_and(|standing| standing.holds(laid)))?;
    let (applied, refused) = (None, None);
    let begun = standing.and_then(|standing| standing.lead_to(None));
    Some(begun.map(|(plane, started)| (plane, Begun { started, applied, refused })))
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
