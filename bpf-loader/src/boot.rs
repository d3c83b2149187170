use std::{fs, io};

/// The kernel's name for this boot; empty where it tells none.
pub fn boot_id() -> String {
    let read: io::Result<String> = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    read.map(|text| text.trim().to_owned()).unwrap_or_default()
}
