//! Memory, of the kernel's tables above all.

use evermesh_pins::probe::HostMemory;

use super::{
    check::Check,
    facts::{Facts, TableFacts},
};

pub fn checks(facts: &Facts) -> Vec<Check> {
    vec![tables(facts), limits(facts)]
}

/// Bytes that all tables take when they are full.
pub fn bytes_full(tables: &[TableFacts]) -> u64 {
    tables.iter().map(|table| table.footprint.full).sum()
}

/// Bytes that the tables that stand take now. `None`: none stands, or the kernel does not say.
pub fn bytes_standing(tables: &[TableFacts]) -> Option<u64> {
    let standing: Vec<u64> =
        tables.iter().filter_map(|table| table.standing).map(|it| it.bytes).collect::<Option<_>>()?;
    (!standing.is_empty()).then(|| standing.iter().sum())
}

fn tables(facts: &Facts) -> Check {
    const NAME: &str = "memory";
    let (full, standing) = (bytes_full(&facts.tables), bytes_standing(&facts.tables));
    let found = found(facts, full, standing);
    match facts.memory {
        Ok(HostMemory { available, .. }) if full.saturating_sub(standing.unwrap_or(0)) > available => {
            Check::degraded(
                NAME,
                format!("{found}; {} are available", size(available)),
                "the tables may not be made, and a change of generation needs them twice for a moment",
                "ask for less room with --max-services and --max-endpoints, or add memory",
            )
        }
        _ => Check::ok(NAME, found),
    }
}

fn found(facts: &Facts, full: u64, standing: Option<u64>) -> String {
    let standing = match (&facts.stands, standing) {
        (_, Some(bytes)) => format!("{} stand", size(bytes)),
        (Ok(false), None) => "none stand".into(),
        _ => "what stands is unknown".into(),
    };
    let (services, endpoints) = (facts.sizes.services, facts.sizes.endpoints);
    let empty = facts.tables.iter().map(|table| table.footprint.empty).sum();
    format!(
        "tables for {services} service ports and {endpoints} endpoints take {}, when full {}; {standing}",
        size(empty),
        size(full)
    )
}

/// Neither touches maps on the kernels that Evermesh runs on; both are what people ask for first.
fn limits(facts: &Facts) -> Check {
    const NAME: &str = "memory_limits";
    let memlock = match &facts.memlock {
        Err(reason) => return Check::unknown(NAME, reason),
        Ok(limit) => limit.map_or_else(|| "no limit".into(), size),
    };
    let swap = match &facts.memory {
        Ok(HostMemory { swap: 0, .. }) => "no swap".into(),
        Ok(HostMemory { swap, .. }) => format!("{} of swap", size(*swap)),
        Err(_) => "swap unknown".into(),
    };
    Check::ok(NAME, format!("locked memory {memlock}, {swap}: neither concerns tables (since kernel 5.11)"))
}

/// As precisely as people want it.
pub fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_grows_with_the_size() {
        for (bytes, expected) in [
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            ((5 << 20) + (1 << 19), "5.5 MiB"),
            (u64::MAX >> 30, "15.9 GiB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
    }

    #[test]
    fn what_stands_is_known_only_if_the_kernel_tells_it_of_every_table() {
        assert_eq!(bytes_standing(&[]), None);
    }
}
