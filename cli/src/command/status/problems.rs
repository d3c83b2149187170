use evermesh_abi::control::PHASE_SUSPENDED;
use evermesh_handover::message::Phase;

use super::{control_plane, data_path::HOOKS, facts::Facts};
use crate::process::Life;

/// Everything that needs attention, the gravest first, each with what to do. Empty where nothing of Evermesh is on
/// the node.
pub fn of(facts: &Facts) -> Vec<String> {
    let mut problems = Vec::new();
    problems.extend(facts.uninstall_begun.then(|| {
        "an uninstall was begun and did not come to its end: run `evermesh uninstall` again".to_owned()
    }));
    problems.extend(of_data_path(facts));
    problems.extend(of_pods(facts));
    problems.extend(of_supervisor(facts));
    problems.extend(of_releases(facts));
    problems.extend(of_agent(facts));
    problems.extend(of_configuration(facts));
    problems.extend(control_plane::problems(facts));
    problems
}

fn of_data_path(facts: &Facts) -> Vec<String> {
    let seen = &facts.data_path;
    let mut problems = seen.findings.clone();
    if seen.generation.is_some() && seen.hooks < HOOKS {
        problems.push(format!("only {} of {HOOKS} hooks are attached", seen.hooks));
    }
    let told = facts.agent.word.as_ref().and_then(|word| word.data_plane.as_ref());
    problems.extend(told.and_then(|it| it.error.clone()));
    let unsaved = facts.agent.word.as_ref().and_then(|word| word.unsaved.as_ref());
    problems.extend(unsaved.map(|reason| format!("what is applied is not on disk: {reason}")));
    problems.extend(seen.lease_is_over().then(|| {
        "the agent has been silent for longer than the lease: new connections to services are left alone until it runs".into()
    }));
    if let Some(phase) = seen.phase.filter(|&phase| phase != 0) {
        problems.push(match phase {
            PHASE_SUSPENDED => {
                "`enrolled` is carried over into another map: pods that are added or removed wait for it"
                    .into()
            }
            _ => format!("frozen maps are being migrated by another release (phase {phase})"),
        });
    }
    problems
}

fn of_pods(facts: &Facts) -> Option<String> {
    let outside = &facts.data_path.pods_outside;
    let processes: usize = outside.iter().map(|pod| pod.processes).sum();
    (processes > 0).then(|| {
        format!(
            "{processes} processes of {} enrolled pods lie outside of the hooked cgroup: what they connect to is not \
             balanced; hook a cgroup above them with --cgroup, or start them below it",
            outside.len()
        )
    })
}

fn of_supervisor(facts: &Facts) -> Option<String> {
    let word = facts.supervisor.word.as_ref();
    match &facts.supervisor.life {
        Life::Running => word.and_then(|word| of_phase(word.phase, word.last_exit.as_deref())),
        Life::Silent(reason) => Some(format!("the supervisor does not answer: {reason}")),
        Life::Dead if word.is_some_and(|word| word.phase == Phase::Ended) => {
            Some("Evermesh was stopped, the data path is kept: start it with `evermesh run`".into())
        }
        Life::Dead => {
            Some("the supervisor is dead, the data path is kept: start it with `evermesh run`".into())
        }
        Life::Absent => None,
    }
}

fn of_phase(phase: Phase, last_exit: Option<&str>) -> Option<String> {
    match phase {
        Phase::Backoff => Some(format!(
            "the agent does not run: its supervisor starts the next one after a pause (last exit: {})",
            last_exit.unwrap_or("unknown")
        )),
        Phase::Yielded | Phase::TakingBack => {
            Some(format!("a takeover is under way: this supervisor is {phase}"))
        }
        _ => None,
    }
}

/// One that is held is told, and no problem: the committed one runs.
fn of_releases(facts: &Facts) -> Vec<String> {
    let word = facts.supervisor.word.as_ref().filter(|_| facts.supervisor.life == Life::Running);
    word.and_then(|word| word.releases.as_ref()).map(|kept| kept.notes.clone()).unwrap_or_default()
}

/// What the supervisor's problem does not say already.
fn of_agent(facts: &Facts) -> Option<String> {
    let supervisor = (&facts.supervisor.life, facts.supervisor.word.as_ref().map(|word| word.phase));
    match (&facts.agent.life, supervisor) {
        (Life::Running, _) => None,
        (Life::Silent(reason), _) => Some(format!("the agent does not answer: {reason}")),
        (_, (Life::Running, Some(Phase::Backoff | Phase::Yielded | Phase::TakingBack))) => None,
        (_, (Life::Running, _)) => {
            Some("the agent does not answer yet: it is starting, or just ended".into())
        }
        (_, (_, Some(Phase::Ended))) => None,
        (Life::Dead, _) => Some("the agent is dead: nothing changes until one runs".into()),
        (Life::Absent, _) if facts.data_path.stands => {
            Some("no agent runs: nothing changes until one does; start it with `evermesh run`".into())
        }
        (Life::Absent, _) => None,
    }
}

fn of_configuration(facts: &Facts) -> Vec<String> {
    let refused = facts.agent.word.as_ref().and_then(|word| word.refused.as_ref());
    let refused = refused.map(|_| "the newest configuration was refused: the one before it stays".to_owned());
    let unreadable = facts.record.as_ref().err().cloned();
    refused.into_iter().chain(unreadable).collect()
}
