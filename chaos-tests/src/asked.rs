//! How often something is done: as often as the environment asks for, which `make chaos` does.

/// What that variable says, which must be a number; or else so many.
pub fn asked_for(variable: &str, otherwise: usize) -> usize {
    let named = std::env::var(variable).ok();
    named.map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{variable}={text}: no number")))
}
