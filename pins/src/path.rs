use std::path::{Path, PathBuf};

use crate::{BridgeEnd, Hook, Table};

/// The directory in bpffs that holds every pin. Names in bpffs carry no dots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinDir(PathBuf);

impl PinDir {
    /// What a generation's manifest is called in its directory.
    pub const MANIFEST: &str = "manifest";

    /// What stands in the directory.
    pub(crate) const IN_ROOT: [&str; 5] = ["links", "frozen", "gen", "live", "live_next"];

    /// What stands in a generation's directory.
    pub(crate) const IN_GENERATION: [&str; 5] = [Self::MANIFEST, "tables", "programs", "frozen", "bridge"];

    /// `root` need not exist yet; its parent must lie in a bpffs.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// Where the links stand.
    pub fn links(&self) -> PathBuf {
        self.0.join("links")
    }

    /// The pin of a hook's link.
    pub fn link(&self, hook: Hook) -> PathBuf {
        self.links().join(hook.name())
    }

    /// Where the maps stand that all generations share.
    pub fn frozen(&self) -> PathBuf {
        self.0.join("frozen")
    }

    /// The pin of a frozen map.
    pub fn frozen_map(&self, table: Table) -> PathBuf {
        self.frozen().join(table.name())
    }

    /// Where the generations stand.
    pub fn generations(&self) -> PathBuf {
        self.0.join("gen")
    }

    /// One generation.
    pub fn generation(&self, number: u32) -> PathBuf {
        self.generations().join(format!("{number:06}"))
    }

    /// The pin of a generation's manifest.
    pub fn manifest(&self, generation: u32) -> PathBuf {
        self.generation(generation).join(Self::MANIFEST)
    }

    /// Where a generation's tables stand.
    pub fn tables(&self, generation: u32) -> PathBuf {
        self.generation(generation).join("tables")
    }

    /// The pin of a generation's table.
    pub fn table(&self, generation: u32, table: Table) -> PathBuf {
        self.tables(generation).join(table.name())
    }

    /// Where a generation's programs stand.
    pub fn programs(&self, generation: u32) -> PathBuf {
        self.generation(generation).join("programs")
    }

    /// The pin of a generation's program.
    pub fn program(&self, generation: u32, hook: Hook) -> PathBuf {
        self.programs(generation).join(hook.name())
    }

    /// Where the maps stand that a generation brings to all: each takes the place of the frozen map of its name once the
    /// generation stays.
    pub fn carried(&self, generation: u32) -> PathBuf {
        self.generation(generation).join("frozen")
    }

    /// The pin of such a map.
    pub fn carried_map(&self, generation: u32, table: Table) -> PathBuf {
        self.carried(generation).join(table.name())
    }

    /// Where the programs stand that lead from the frozen maps before to those that a generation brings.
    pub fn bridge(&self, generation: u32) -> PathBuf {
        self.generation(generation).join("bridge")
    }

    /// Those of one end of it.
    pub fn bridge_end(&self, generation: u32, end: BridgeEnd) -> PathBuf {
        self.bridge(generation).join(end.name())
    }

    /// The pin of such a program.
    pub fn bridge_program(&self, generation: u32, end: BridgeEnd, hook: Hook) -> PathBuf {
        self.bridge_end(generation, end).join(hook.name())
    }

    /// The symbolic link that names the live generation.
    pub fn live(&self) -> PathBuf {
        self.0.join("live")
    }

    /// Where the next `live` is made before it is renamed into place.
    pub fn live_aside(&self) -> PathBuf {
        self.0.join("live_next")
    }

    /// What `live` points to, for a generation.
    pub fn live_target(number: u32) -> PathBuf {
        Path::new("gen").join(format!("{number:06}"))
    }

    /// Every place below the directory where this release may pin something or make a directory; `*` stands for any generation.
    pub fn places() -> Vec<String> {
        let mut places: Vec<String> = Self::IN_ROOT.map(str::to_owned).into();
        places.extend(Hook::ALL.map(|hook| format!("links/{}", hook.name())));
        places.extend(Table::FROZEN.map(|table| format!("frozen/{table}")));
        places.push("gen/*".to_owned());
        places.extend(Self::IN_GENERATION.map(|place| format!("gen/*/{place}")));
        places.extend(Table::OF_GENERATION.map(|table| format!("gen/*/tables/{table}")));
        places.extend(Table::BROUGHT.map(|table| format!("gen/*/frozen/{table}")));
        places.extend(Hook::ALL.map(|hook| format!("gen/*/programs/{}", hook.name())));
        for end in BridgeEnd::ALL {
            places.push(format!("gen/*/bridge/{}", end.name()));
            places.extend(Hook::ALL.map(|hook| format!("gen/*/bridge/{}/{}", end.name(), hook.name())));
        }
        places
    }

    /// The generation that a `live` pointing to `target` names.
    pub fn generation_of_target(target: &Path) -> Option<u32> {
        Self::generation_of_name(target.strip_prefix("gen").ok()?.to_str()?)
    }

    /// The generation that a directory of this name holds.
    pub fn generation_of_name(name: &str) -> Option<u32> {
        (name.len() == 6 && name.bytes().all(|b| b.is_ascii_digit())).then(|| name.parse().ok()).flatten()
    }
}
