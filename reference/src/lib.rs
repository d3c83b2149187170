//! What a destination should lead to, read from the model alone and said in the plainest way. Tests compare it with
//! what the kernel's tables say and with where real sockets arrive, so it knows nothing of tables, and is slow.

mod answer;
mod choice;
pub mod history;
mod maglev;
mod ratio;

pub use answer::{Answer, Endpoint, answer};
pub use maglev::Maglev;
pub use ratio::{Ratio, whole_numbers};
