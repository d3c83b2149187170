//! Performs what the core says, and tells it what happened.

use std::{collections::HashMap, fmt, io, os::unix::net::UnixListener, path::PathBuf, time::Duration};

use evermesh_pins::PinDir;
use evermesh_proto::admin::v1::Status;
use evermesh_xds_cache::client::Offer;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::{MissedTickBehavior, interval, timeout},
};
use tracing::{info, warn};

use crate::{
    AgentError,
    admin::{Asked, Desk},
    clock,
    core::{Action, Beginning, Core, Event, Feed, Offered, Outcome, Ticket},
    data_plane::{Gone, Plane},
    hands::Hands,
    judge::Judge,
    laid::NoteFile,
    last_words::LastWords,
    news::{Heard, News},
    record::Record,
    signals::Signals,
    source::Watch,
    supervisor,
    xds::ControlPlane,
};

const AUDIT_EVERY: Duration = Duration::from_secs(60);
/// How long an agent that ends waits for the disk.
const SAVING_MAX: Duration = Duration::from_secs(3);
/// Reloads that wait to be heard.
const RELOADS: usize = 16;

/// What the agent works with once it has started.
#[derive(Debug)]
pub struct Works {
    pub source: Source,
    pub record: Record,
    pub note: NoteFile,
    pub pins: PinDir,
    pub plane: Plane,
    pub last_words: LastWords,
    pub judge: Judge,
    /// None: it could not be made.
    pub admin: Option<UnixListener>,
}

/// Where configuration comes from.
#[derive(Debug)]
pub enum Source {
    /// Files at this path.
    Files(PathBuf),
    /// A control plane.
    ControlPlane(Box<ControlPlane>),
}

impl Source {
    pub fn feed(&self) -> Feed {
        match self {
            Self::Files(_) => Feed::Files,
            Self::ControlPlane(_) => Feed::ControlPlane,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files(path) => path.display().fmt(f),
            Self::ControlPlane(control_plane) => f.write_str(&control_plane.source()),
        }
    }
}

/// Runs until SIGTERM or SIGINT; says that it is ready once it hears signals and no generation is on trial.
pub async fn run(works: Works, beginning: Beginning) -> Result<(), AgentError> {
    let mut signals = Signals::catch()?;
    let (config, mut news, meshes) = match works.source {
        Source::Files(path) => {
            let watch = Watch::new(&path).map_err(runtime("watch the configuration"))?;
            (Some(path), News::Files(Box::new(watch)), None)
        }
        Source::ControlPlane(control_plane) => {
            let meshes = control_plane.meshes();
            let following = control_plane.follow().map_err(runtime("follow the control plane"))?;
            (None, News::ControlPlane(following), Some(meshes))
        }
    };
    let (core, first) = Core::new(beginning);
    let (status, published) = watch::channel(core.status());
    let (reloads, asked) = mpsc::channel(RELOADS);
    let desk = works.admin.map(|listener| (Desk::new(published, reloads, meshes), listener));
    let (events, inbox) = mpsc::unbounded_channel();
    let Works { record, note, pins, plane, judge, .. } = works;
    let hands = Hands { config, record, note, pins, plane, judge, events };
    hands.keep_alive();
    hands.keep_beating();
    let (opening, waiting, summary) = (Some((works.last_words, desk)), HashMap::new(), String::new());
    let mut agent =
        Agent { core, hands, status, summary, opening, writing: None, waiting, tickets: 0, over: None };
    agent.open();
    agent.perform(first);
    let served = agent.serve(&mut signals, &mut news, inbox, asked).await;
    agent.end().await;
    served?;
    news.end().await;
    Ok(())
}

/// Somebody who waits for an outcome.
enum Waiting {
    Reload(Asked),
    Offer(oneshot::Sender<Result<(), String>>),
}

impl Waiting {
    /// Whoever asked may be gone.
    fn tell(self, outcome: Outcome) {
        match self {
            Self::Reload(asked) => drop(asked.send(outcome)),
            Self::Offer(done) => drop(done.send(match outcome {
                Outcome::Applied(_) | Outcome::Unchanged(_) => Ok(()),
                Outcome::Refused(refused) => Err(refused.reason),
            })),
        }
    }
}

/// The core and what it needs to be heard.
struct Agent {
    core: Core,
    hands: Hands,
    status: watch::Sender<Status>,
    /// What the supervisor was told last.
    summary: String,
    /// What begins when the agent knows what it can be asked. Whoever asks meanwhile waits.
    opening: Option<(LastWords, Option<(Desk, UnixListener)>)>,
    /// Writes the last words.
    writing: Option<JoinHandle<()>>,
    waiting: HashMap<Ticket, Waiting>,
    tickets: Ticket,
    /// Why the agent must end.
    over: Option<String>,
}

impl Agent {
    async fn serve(
        &mut self,
        signals: &mut Signals,
        news: &mut News,
        mut inbox: mpsc::UnboundedReceiver<Result<Event, Gone>>,
        mut asked: mpsc::Receiver<Asked>,
    ) -> Result<(), AgentError> {
        let mut audit = interval(AUDIT_EVERY);
        audit.set_missed_tick_behavior(MissedTickBehavior::Delay);
        audit.tick().await;
        // What changed between the reading at the start and the first look of the watch.
        self.on(Event::Changed);
        loop {
            let event = tokio::select! {
                _ = signals.end.recv() => break,
                _ = signals.interrupt.recv() => break,
                _ = signals.reload.recv() => Event::Changed,
                _ = signals.audit.recv() => Event::Audit,
                _ = audit.tick() => Event::Audit,
                heard = news.next() => self.heard(heard)?,
                Some(asked) = asked.recv() => self.reload(asked),
                Some(event) = inbox.recv() => event.map_err(|Gone| AgentError::DataPlaneGone)?,
            };
            self.on(event);
            if let Some(reason) = self.over.take() {
                return Err(AgentError::OnTrial { reason });
            }
        }
        supervisor::stopping();
        info!("the agent ends; the data path is kept");
        let last = self.core.end();
        self.perform(last);
        if timeout(SAVING_MAX, self.finish_saving(&mut inbox)).await.is_err() {
            warn!("what is applied did not get to the disk in time");
        }
        Ok(())
    }

    /// What traffic obeys should be on disk when the next agent looks for it.
    async fn finish_saving(&mut self, inbox: &mut mpsc::UnboundedReceiver<Result<Event, Gone>>) {
        while self.core.is_saving()
            && let Some(event) = inbox.recv().await
        {
            if let Ok(event @ Event::Saved(_)) = event {
                self.on(event);
            }
        }
    }

    fn on(&mut self, event: Event) {
        let actions = self.core.on(event, clock::unix_ms());
        // Whoever hears an answer finds it in the status too.
        self.publish();
        self.perform(actions);
    }

    /// From when on the agent knows what it can be asked.
    fn open(&mut self) {
        if self.core.is_recalling() {
            return;
        }
        let Some((last_words, desk)) = self.opening.take() else { return };
        let status = self.status.subscribe();
        let last_words = last_words.begin(&status.borrow());
        self.writing = Some(tokio::spawn(last_words.follow(status)));
        if let Some((desk, listener)) = desk {
            tokio::spawn(desk.serve(listener));
        }
    }

    fn publish(&mut self) {
        if self.core.is_recalling() {
            return;
        }
        let status = self.core.status();
        if *self.status.borrow() != status {
            self.status.send_replace(status);
        }
        let summary = self.core.summary();
        if self.summary != summary {
            supervisor::status(&summary);
            self.summary = summary;
        }
        self.open();
    }

    /// When the last words are written.
    async fn end(self) {
        drop(self.status);
        if let Some(writing) = self.writing
            && timeout(SAVING_MAX, writing).await.is_err()
        {
            warn!("the last status did not get to the disk in time");
        }
    }

    fn reload(&mut self, asked: Asked) -> Event {
        Event::Reload(self.ticket(Waiting::Reload(asked)))
    }

    fn heard(&mut self, heard: Heard) -> Result<Event, AgentError> {
        Ok(match heard {
            Heard::Changed => Event::Changed,
            Heard::Link(link) => Event::Link(link),
            Heard::Gone => return Err(AgentError::ControlPlaneGone),
            Heard::Offer(Offer { snapshot, digest, warnings, done }) => {
                let ticket = self.ticket(Waiting::Offer(done));
                Event::Offered(Box::new(Offered { snapshot, digest, warnings }), ticket)
            }
        })
    }

    fn ticket(&mut self, waiting: Waiting) -> Ticket {
        self.tickets += 1;
        self.waiting.insert(self.tickets, waiting);
        self.tickets
    }

    fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Read { unless } => self.hands.read(unless),
                Action::Apply(wanted) => self.hands.apply(wanted),
                Action::Save(applied) => self.hands.save(applied),
                Action::Note(applied) => self.hands.note(applied),
                Action::Recall => self.hands.recall(),
                Action::Do(chore) => self.hands.do_chore(chore),
                Action::Answer(ticket, outcome) => {
                    if let Some(waiting) = self.waiting.remove(&ticket) {
                        waiting.tell(outcome);
                    }
                }
                Action::Info(text) => info!("{text}"),
                Action::Warn(text) => warn!("{text}"),
                Action::Ready => supervisor::ready(&self.core.summary()),
                Action::Judge => self.hands.judge(),
                Action::Commit => self.hands.commit(),
                Action::RollBack(reason) => self.hands.roll_back(reason),
                Action::End(reason) => self.over = Some(reason),
            }
        }
    }
}

fn runtime(step: &'static str) -> impl Fn(io::Error) -> AgentError {
    move |source| AgentError::Runtime { step, source }
}
