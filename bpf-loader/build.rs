//! Builds the kernel programs in `../ebpf` and hands the objects to the crate: one of each kind in `ebpf/Cargo.toml`.
//!
//! The target has no prebuilt standard library, so a compiler is needed whose sysroot carries its own
//! sources: the first of `$EVERMESH_BPF_RUSTC`, `$RUSTC`, rustup's nightly and `/usr/bin/rustc` that does.
//! `$EVERMESH_BPF_OBJECTS` names a directory of prebuilt objects instead.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Each object's name, and what it is built with.
const PARTS: [(&str, &[&str]); 5] = [
    ("current.bpf.o", &[]),
    ("up.bpf.o", &["--features", "up"]),
    ("down.bpf.o", &["--features", "down"]),
    ("level.bpf.o", &["--features", "level"]),
    ("before.bpf.o", &["--features", "before"]),
];
const TARGET: &str = "bpfel-unknown-none";
const RUSTFLAGS: [&str; 4] = ["-Clinker=bpf-linker", "-Cdebuginfo=2", "-Clink-arg=--btf", "-Ctarget-cpu=v3"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = |name| env::var_os(name).map(PathBuf::from).ok_or(format!("cargo sets {name}"));
    let out = directory("OUT_DIR")?;
    // Asked when it runs, not when it was built: a checkout may have moved since.
    let sources = directory("CARGO_MANIFEST_DIR")?.join("../ebpf");
    declare_inputs(&sources);
    let prebuilt = env::var_os("EVERMESH_BPF_OBJECTS").map(PathBuf::from);
    for (name, arguments) in PARTS {
        let built = match &prebuilt {
            Some(directory) => directory.join(name),
            None => build(&sources, &out.join("bpf"), arguments)?,
        };
        let object = fs::read(&built).map_err(|e| format!("cannot read {}: {e}", built.display()))?;
        refuse_hidden_maps(&object)?;
        refuse_panics(&object)?;
        fs::write(out.join(name), object)?;
    }
    Ok(())
}

/// A section of constants or variables becomes a map that is pinned nowhere, so that the next start would
/// not know the programs again.
fn refuse_hidden_maps(object: &[u8]) -> Result<(), String> {
    let is_named = |section: &str| {
        let name = [section.as_bytes(), b"\0"].concat();
        object.windows(name.len()).any(|window| window == name)
    };
    match [".rodata", ".data", ".bss"].into_iter().find(|section| is_named(section)) {
        Some(section) => Err(format!(
            "the kernel programs have a section {section}: build the value in place, or keep it in a table of ebpf/src/maps.rs"
        )),
        None => Ok(()),
    }
}

/// A path to a panic is a function without an end, which the verifier refuses.
fn refuse_panics(object: &[u8]) -> Result<(), String> {
    const MANGLED: &[u8] = b"9panicking";
    match object.windows(MANGLED.len()).any(|window| window == MANGLED) {
        true => Err(
            "the kernel programs can panic: look for an index, a division or an overflow that is not checked"
                .to_owned(),
        ),
        false => Ok(()),
    }
}

fn declare_inputs(sources: &Path) {
    for variable in ["EVERMESH_BPF_RUSTC", "EVERMESH_BPF_OBJECTS"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    for input in ["src", "abi/src", "abi/Cargo.toml", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", sources.join(input).display());
    }
}

fn build(sources: &Path, target_dir: &Path, arguments: &[&str]) -> Result<PathBuf, String> {
    let rustc = compiler_with_sources()?;
    let beside = Path::new(&rustc).with_file_name("cargo");
    let cargo = if beside.exists() {
        beside.into_os_string()
    } else {
        env::var_os("CARGO").unwrap_or("cargo".into())
    };
    let mut command = Command::new(cargo);
    for (name, _) in env::vars_os() {
        if is_of_the_outer_build(&name.to_string_lossy()) {
            command.env_remove(&name);
        }
    }
    let status = command
        .current_dir(sources)
        .args(["build", "--locked", "--release", "-Zbuild-std=core", "--target", TARGET, "--target-dir"])
        .arg(target_dir)
        .args(arguments)
        .env("RUSTC", &rustc)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", RUSTFLAGS.join("\x1f"))
        .status()
        .map_err(|e| format!("cannot start cargo for the kernel programs: {e}"))?;
    if !status.success() {
        return Err(format!(
            "the kernel programs did not build with {rustc} (is bpf-linker installed? scripts/bootstrap installs it)"
        ));
    }
    Ok(target_dir.join(TARGET).join("release/evermesh"))
}

/// Variables that cargo set for this build would change the inner one.
fn is_of_the_outer_build(name: &str) -> bool {
    let of_cargo = name.starts_with("CARGO") && name != "CARGO_HOME";
    let of_rust = name.starts_with("RUST") && name != "RUSTUP_HOME";
    of_cargo || of_rust
}

fn compiler_with_sources() -> Result<String, String> {
    let candidates = [
        env::var("EVERMESH_BPF_RUSTC").ok(),
        env::var("RUSTC").ok(),
        rustup_nightly(),
        Some("/usr/bin/rustc".to_owned()),
    ];
    candidates.into_iter().flatten().find(|rustc| has_sources(rustc)).ok_or_else(|| {
        "no Rust compiler with its library sources: install Debian's rustc-web and rust-web-src (scripts/bootstrap does), \
         or add rust-src to a rustup toolchain, and name the compiler in EVERMESH_BPF_RUSTC if it is elsewhere"
            .to_owned()
    })
}

fn rustup_nightly() -> Option<String> {
    let output = Command::new("rustup").args(["which", "--toolchain", "nightly", "rustc"]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn has_sources(rustc: &str) -> bool {
    let output = Command::new(rustc).args(["--print", "sysroot"]).env_remove("RUSTUP_TOOLCHAIN").output();
    let Ok(output) = output else { return false };
    let sysroot = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    output.status.success() && sysroot.join("lib/rustlib/src/rust/library/core/Cargo.toml").exists()
}
