//! One command a file.

mod config;
mod doctor;
mod dump;
pub mod pod;
mod run;
mod status;
mod uninstall;
mod upgrade;

pub use config::diff;
pub use doctor::doctor;
pub use dump::dump;
pub use pod::pod;
pub use run::run;
pub use status::status;
pub use uninstall::uninstall;
pub use upgrade::{UpgradeError, upgrade};
