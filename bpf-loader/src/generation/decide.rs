use evermesh_pins::{Hook, Inventory};

/// What a start must do with what it finds. A pure function of what stands in bpffs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing is live: make the first generation, after these unfinished ones are removed.
    Build {
        /// Number of the new generation.
        number: u32,
        /// Left by a start that was interrupted.
        remove: Vec<u32>,
    },
    /// Take over the live generation, after what an interrupted change left behind is undone.
    Adopt(Adoption),
}

/// How to take over the live generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    /// The live generation.
    pub live: u32,
    /// Links that an interrupted change has already led to another generation's programs: they come back.
    pub switch_back: Vec<(Hook, u32)>,
    /// Hooks without a link.
    pub attach: Vec<Hook>,
    /// Generations that are not live.
    pub remove: Vec<u32>,
    /// Number of the next generation, if one is needed.
    pub next: u32,
    /// Whether the live generation's programs are other ones than this release's.
    pub other_programs: bool,
}

/// Decides for an inventory in which [`evermesh_pins::verify`] found nothing wrong.
pub fn decide(inventory: &Inventory, object: &[u8; 32]) -> Decision {
    let next = inventory.generations.keys().last().map_or(1, |last| last + 1);
    let others = |live| inventory.generations.keys().copied().filter(move |&n| Some(n) != live).collect();
    let manifest = |live| inventory.generations.get(&live).and_then(|g| g.manifest.as_ref());
    match inventory.live.and_then(|live| Some((live, manifest(live)?))) {
        None => Decision::Build { number: next, remove: others(None) },
        Some((live, manifest)) => Decision::Adopt(Adoption {
            live,
            switch_back: strays(inventory, live),
            attach: Hook::ALL.into_iter().filter(|hook| !inventory.links.contains_key(hook)).collect(),
            remove: others(Some(live)),
            next,
            other_programs: manifest.object != *object,
        }),
    }
}

fn strays(inventory: &Inventory, live: u32) -> Vec<(Hook, u32)> {
    let runs = |hook: &Hook, id: u32| {
        let mut generations = inventory.generations.iter();
        let owns = |p: &evermesh_pins::ProgramPin| p.info.id == id;
        generations.find(|(_, g)| g.programs.get(hook).is_some_and(owns)).map(|(number, _)| *number)
    };
    let links = inventory.links.iter();
    let attached = links.filter_map(|(hook, link)| Some((*hook, runs(hook, link.info.program_id)?)));
    attached.filter(|(_, generation)| *generation != live).collect()
}
