//! First arguments with which an agent's program is called for something else than to run, and what else it is told.

/// Say the layouts of the maps that this release makes, as JSON, and end. A release that does not know it ends with an error.
pub const SAY_LAYOUTS: &str = "layouts";

/// Bring the maps that programs write to the layouts of the release before, if the release that follows, whose layouts come by
/// standard input, needs that; and end. The other arguments are an agent's.
pub const STEP_DOWN: &str = "step-down";

/// In the environment of an agent: maps, separated by commas, that may be replaced without what stands in them, where nothing can carry
/// it over. A variable, because a release that does not know it must not stumble over it.
pub const ACCEPT_LOSS: &str = "EVERMESH_ACCEPT_LOSS";
