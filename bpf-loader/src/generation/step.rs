use std::fmt;

use evermesh_pins::{BridgeEnd, Hook, Table};

use super::{Entry, Programs};

/// One thing that is done to the kernel's objects or to the journal. Whatever a start or a change of generation does is a
/// list of these, so every moment at which it can be interrupted lies before or after one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Writes the journal; an entry that is awaited is on the disk when the step is done.
    Record(Entry),
    /// Makes the directories of a generation, and those that all share.
    MakeRoom {
        /// The generation.
        generation: u32,
    },
    /// Makes its maps, without a pin yet. Frozen maps are taken from their pins, or made and pinned.
    MakeMaps {
        /// The generation.
        generation: u32,
        /// Frozen maps that it brings anew.
        carried: Vec<Table>,
    },
    /// Pins one of its tables.
    PinTable {
        /// The generation.
        generation: u32,
        /// Which.
        table: Table,
    },
    /// Pins a frozen map that it brings, beside the one that is in use.
    PinCarried {
        /// The generation.
        generation: u32,
        /// Which.
        table: Table,
    },
    /// Joins programs to the maps in use and to those that are to take their place.
    MakeBridge {
        /// The generation that they lead to.
        generation: u32,
        /// Which of them.
        end: BridgeEnd,
    },
    /// Has the kernel verify a program.
    LoadProgram {
        /// Of which programs.
        of: Programs,
        /// Which.
        hook: Hook,
    },
    /// Pins a program.
    PinProgram {
        /// Of which programs.
        of: Programs,
        /// Which.
        hook: Hook,
    },
    /// Fills its tables.
    Fill {
        /// The generation.
        generation: u32,
    },
    /// Writes its manifest: it is complete.
    Finish {
        /// The generation.
        generation: u32,
    },
    /// Tries its programs in a cgroup of their own, before traffic meets them.
    Rehearse {
        /// The generation.
        generation: u32,
    },
    /// Looks how flows fare on the generation that is live, until that was done for long enough to compare with it.
    Look {
        /// The generation.
        generation: u32,
    },
    /// Makes a link where there is none.
    Attach {
        /// The hook.
        hook: Hook,
        /// Whose program it attaches.
        generation: u32,
    },
    /// Leads a link from one program to another, by compare-and-swap.
    Switch {
        /// The hook.
        hook: Hook,
        /// Whose program it attaches now.
        from: Programs,
        /// Whose it attaches then.
        to: Programs,
    },
    /// Waits until every program run that began earlier has ended.
    Barrier,
    /// Has whoever writes `enrolled` wait: another map is to take its place.
    Suspend,
    /// Lets them go on: the map that stands there stays.
    Resume,
    /// Copies what stands in the frozen map in use to the one that is to take its place.
    Sweep {
        /// The generation that brings it.
        generation: u32,
        /// Which.
        table: Table,
    },
    /// Adds to the tally how much stands in a frozen map that another one replaces without it. No program writes it any more.
    CountLost {
        /// Which.
        table: Table,
    },
    /// Gives a frozen map that a generation brings its place, by rename. No program uses the one before any more.
    Replace {
        /// The generation that brings it.
        generation: u32,
        /// Which.
        table: Table,
    },
    /// Removes the programs that led to a generation; they hook nothing.
    RemoveBridge {
        /// The generation.
        generation: u32,
    },
    /// Makes `live` name a generation.
    MakeLive {
        /// The generation.
        generation: u32,
    },
    /// Begins the tally anew: of those that were added to it, none is left.
    BeginTally,
    /// Adds what a generation has counted to the tally. Its programs run no more.
    Count {
        /// The generation.
        generation: u32,
    },
    /// Removes a generation that hooks nothing, its manifest first.
    Remove {
        /// The generation.
        generation: u32,
    },
}

/// On which side of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It is about to be done.
    Before,
    /// It is done.
    After,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(entry) => write!(f, "record {entry}"),
            Self::MakeRoom { generation } => write!(f, "make the directories of generation {generation}"),
            Self::MakeMaps { generation, .. } => write!(f, "make the maps of generation {generation}"),
            Self::PinTable { generation, table } => write!(f, "pin {table} of generation {generation}"),
            Self::PinCarried { generation, table } => {
                write!(f, "pin {table} that generation {generation} brings")
            }
            Self::MakeBridge { generation, end } => {
                write!(f, "make the {end} end of the bridge to generation {generation}")
            }
            Self::LoadProgram { of, hook } => write!(f, "load {hook} of {of}"),
            Self::PinProgram { of, hook } => write!(f, "pin {hook} of {of}"),
            Self::Fill { generation } => write!(f, "fill the tables of generation {generation}"),
            Self::Finish { generation } => write!(f, "write the manifest of generation {generation}"),
            Self::Rehearse { generation } => write!(f, "rehearse generation {generation}"),
            Self::Look { generation } => write!(f, "look at generation {generation}"),
            Self::Attach { hook, generation } => write!(f, "attach {hook} of generation {generation}"),
            Self::Switch { hook, from, to } => write!(f, "switch {hook} from {from} to {to}"),
            Self::Barrier => f.write_str("wait for running programs to end"),
            Self::Suspend => f.write_str("have writers of enrolled wait"),
            Self::Resume => f.write_str("let writers of enrolled go on"),
            Self::Sweep { generation, table } => write!(f, "sweep {table} for generation {generation}"),
            Self::CountLost { table } => write!(f, "add what is lost with {table} to the tally"),
            Self::Replace { generation, table } => {
                write!(f, "give {table} of generation {generation} its place")
            }
            Self::RemoveBridge { generation } => write!(f, "remove the bridge to generation {generation}"),
            Self::MakeLive { generation } => write!(f, "make generation {generation} live"),
            Self::BeginTally => f.write_str("begin the tally anew"),
            Self::Count { generation } => {
                write!(f, "add what generation {generation} has counted to the tally")
            }
            Self::Remove { generation } => write!(f, "remove generation {generation}"),
        }
    }
}
