//! Faults in an order and at moments that one number decides.

use std::{fmt, thread::sleep, time::Duration};

use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};

use crate::{Result, clock::now_ns, mesh::Mesh, oracle::Event};

/// What can be done to a running mesh, with the recovery from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The agent is killed; the supervisor replaces it.
    KillAgent,
    /// The supervisor is killed, its agent dies with it; it is started again.
    KillSupervisor,
    /// Both are killed; the supervisor is started again.
    KillBoth,
    /// The agent hangs until the watchdog replaces it.
    HangAgent,
    /// The agent is killed, and the next one so long after it was started, ready or not.
    KillStarting(Duration),
}

/// An agent is ready about then; more makes [`Fault::KillStarting`] like [`Fault::KillAgent`].
const START: Duration = Duration::from_millis(60);

/// Faults that leave the supervisor alive before one that kills it: it waits twice as long before each agent in a row.
const SPARED_MAX: usize = 3;

impl Fault {
    fn draw(random: &mut ChaCha8Rng, spared: usize) -> Self {
        let kinds = if spared < SPARED_MAX { 0..5 } else { 1..3 };
        match random.random_range(kinds) {
            0 => Self::KillAgent,
            1 => Self::KillSupervisor,
            2 => Self::KillBoth,
            3 => Self::HangAgent,
            _ => Self::KillStarting(draw_time(random, START)),
        }
    }

    fn spares_the_supervisor(self) -> bool {
        !matches!(self, Self::KillSupervisor | Self::KillBoth)
    }

    /// Does it and waits until an agent is ready again. The event lasts from before the first signal to then.
    pub fn inflict(self, mesh: &mut Mesh<'_>) -> Result<Event> {
        mesh.agent_pid()?;
        let start_ns = now_ns();
        match self {
            Self::KillAgent => mesh.kill_agent().and_then(|old| mesh.await_agent(Some(old)))?,
            Self::HangAgent => mesh.hang_agent().and_then(|old| mesh.await_agent(Some(old)))?,
            Self::KillSupervisor => mesh.kill_supervisor().and_then(|()| mesh.restart())?,
            Self::KillBoth => mesh.kill_both().and_then(|()| mesh.restart())?,
            Self::KillStarting(delay) => {
                mesh.kill_starting_agent(delay).and_then(|old| mesh.await_agent(Some(old)))?
            }
        };
        Ok(Event { kind: self.to_string(), start_ns, end_ns: now_ns() })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KillAgent => "agent killed",
            Self::KillSupervisor => "supervisor killed",
            Self::KillBoth => "both killed",
            Self::HangAgent => "agent hung",
            Self::KillStarting(_) => "starting agent killed",
        })
    }
}

/// A fault and how long to wait before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Counted from the recovery from the one before.
    pub pause: Duration,
    /// What then happens.
    pub fault: Fault,
}

/// Faults in a row, drawn from a seed: the same seed gives the same row in every release of the rig.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    seed: u64,
    planned: Vec<Planned>,
}

impl Schedule {
    /// `count` faults of all kinds, each up to `pause_max` after the recovery from the one before.
    pub fn new(seed: u64, count: usize, pause_max: Duration) -> Self {
        let mut random = random(seed);
        let mut spared = 0;
        let mut draw = || {
            let pause = draw_time(&mut random, pause_max);
            let fault = Fault::draw(&mut random, spared);
            spared = if fault.spares_the_supervisor() { spared + 1 } else { 0 };
            Planned { pause, fault }
        };
        Self { seed, planned: (0..count).map(|_| draw()).collect() }
    }

    /// What it was drawn from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The row.
    pub fn planned(&self) -> &[Planned] {
        &self.planned
    }

    /// Does all of it.
    pub fn inflict(&self, mesh: &mut Mesh<'_>) -> Result<Vec<Event>> {
        let inflict = |planned: &Planned| {
            sleep(planned.pause);
            planned.fault.inflict(mesh)
        };
        self.planned.iter().map(inflict).collect()
    }
}

/// Random numbers that are the same for a seed in every release of the rig.
pub fn random(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn draw_time(random: &mut ChaCha8Rng, max: Duration) -> Duration {
    let max_us = u64::try_from(max.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(random.random_range(0..=max_us))
}

/// The seed named by `EVERMESH_SEED`, else a new one. It is printed, so that a failed test tells it.
pub fn seed() -> u64 {
    let named = std::env::var("EVERMESH_SEED").ok().and_then(|text| text.parse().ok());
    let seed = named.unwrap_or_else(now_ns);
    println!("EVERMESH_SEED={seed}");
    seed
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_millis(50);

    #[test]
    fn a_seed_decides_everything() {
        assert_eq!(Schedule::new(7, 300, PAUSE), Schedule::new(7, 300, PAUSE));
        assert_ne!(Schedule::new(7, 300, PAUSE).planned(), Schedule::new(8, 300, PAUSE).planned());
    }

    #[test]
    fn the_supervisor_is_killed_before_it_waits_for_long() {
        let schedule = Schedule::new(7, 300, PAUSE);
        let spared = |rest: &[Planned]| rest.iter().all(|planned| planned.fault.spares_the_supervisor());
        assert!(schedule.planned().windows(SPARED_MAX).any(spared));
        assert!(!schedule.planned().windows(SPARED_MAX + 1).any(spared));
    }

    #[test]
    fn the_row_is_the_same_in_every_release() {
        let schedule = Schedule::new(7, 4, PAUSE);
        let row: Vec<_> = schedule.planned().iter().map(|p| (p.fault, p.pause.as_micros())).collect();
        let expected = [
            (Fault::KillAgent, 7889),
            (Fault::HangAgent, 13504),
            (Fault::KillAgent, 36337),
            (Fault::KillSupervisor, 40547),
        ];
        assert_eq!(row, expected);
    }

    #[test]
    fn every_kind_of_fault_comes_up() {
        let schedule = Schedule::new(1, 300, PAUSE);
        let kinds = [Fault::KillAgent, Fault::KillSupervisor, Fault::KillBoth, Fault::HangAgent];
        for kind in kinds.into_iter().chain([Fault::KillStarting(START)]).map(|fault| fault.to_string()) {
            let times = schedule.planned().iter().filter(|p| p.fault.to_string() == kind).count();
            assert!(times > 30, "{kind}: {times}");
        }
    }

    #[test]
    fn pauses_stay_within_their_bound() {
        assert!(Schedule::new(1, 300, PAUSE).planned().iter().all(|p| p.pause <= PAUSE));
    }
}
