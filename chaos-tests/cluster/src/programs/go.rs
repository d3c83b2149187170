use std::{
    fmt::Write as _,
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use sha2::{Digest, Sha256};

use super::{cache, installed};
use crate::{Error, Result};

/// Nobody debugs these programs: it is a tenth less to compile.
const COMPILER_FLAGS: &str = "all=-dwarf=false";

/// How much of what Go said is told when it failed.
const LAST_LINES: usize = 30;

/// A program that is built from a Go module whose every dependency is pinned. Its sources are part of this one, so it is
/// the same wherever the checkout is.
pub(super) struct GoModule {
    pub name: &'static str,
    /// What is built of it.
    pub package: &'static str,
    /// Names that the program is reached by besides.
    pub also_called: &'static [&'static str],
    /// The requirement whose version is the program's.
    pub version_of: &'static str,
    /// Variables that hold the version.
    pub version_flags: &'static [&'static str],
    pub sources: &'static [(&'static str, &'static str)],
}

impl GoModule {
    /// The program; built if it is not in the cache.
    pub fn built(&self) -> Result<PathBuf> {
        let cache = cache::directory()?;
        let go_version = self.go_version()?;
        let finished = cache.join(self.digest(&go_version));
        let program = finished.join(self.name);
        if program.is_file() {
            return Ok(program);
        }
        let _lock = cache::lock(&cache, self.name)?;
        if !program.is_file() {
            self.build(&cache.join(format!("building-{}", self.name)), &finished, &go_version)?;
        }
        Ok(program)
    }

    /// Built aside and renamed: what is in the cache is whole. Where an earlier build was interrupted, Go's own caches lie
    /// aside still and it goes on from there.
    fn build(&self, aside: &Path, finished: &Path, go_version: &str) -> Result<()> {
        let (name, began) = (self.name, Instant::now());
        eprintln!(
            "evermesh-cluster: building {name} {} with {go_version}, once; this takes minutes ...",
            self.version()
        );
        let out = aside.join("out");
        remove(&out)?;
        fs::create_dir_all(&out).map_err(Error::path("create", &out))?;
        for (file, content) in self.sources {
            let path = aside.join(file);
            fs::write(&path, content).map_err(Error::path("write", path))?;
        }
        self.run_go(aside)?;
        for link in self.also_called {
            symlink(name, out.join(link)).map_err(Error::path("link", out.join(link)))?;
        }
        fs::rename(&out, finished).map_err(Error::path("finish", finished))?;
        remove(aside)?;
        eprintln!("evermesh-cluster: building {name}: done in {} s", began.elapsed().as_secs());
        Ok(())
    }

    fn run_go(&self, aside: &Path) -> Result<()> {
        let mut flags = String::from("-s -w");
        for variable in self.version_flags {
            // Writing to a string cannot fail.
            let _ = write!(flags, " -X {variable}={}", self.version());
        }
        let mut go = self.go()?;
        go.current_dir(aside)
            .args(["build", "-mod=readonly", "-modcacherw", "-buildvcs=false", "-trimpath"])
            .args([
                "-gcflags",
                COMPILER_FLAGS,
                "-ldflags",
                &flags,
                "-o",
                &format!("out/{}", self.name),
                self.package,
            ])
            .env("GOMODCACHE", aside.join("modules"))
            .env("GOCACHE", aside.join("compiled"))
            .env("CGO_ENABLED", "0")
            // The compiler collects less garbage: memory is plenty where a cluster fits, processors are not.
            .env("GOGC", "400");
        let output = go.output().map_err(|e| self.failed(e.to_string()))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let lines: Vec<&str> = said.lines().collect();
        Err(self.failed(lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")))
    }

    fn go_version(&self) -> Result<String> {
        let output =
            self.go()?.args(["env", "GOVERSION"]).output().map_err(|e| self.failed(e.to_string()))?;
        Ok(Error::unless_done("go env GOVERSION".to_owned(), output)?.trim().to_owned())
    }

    fn go(&self) -> Result<Command> {
        let unpacked = Path::new("/usr/local/go/bin/go");
        match installed("go", "golang-go") {
            Err(_) if unpacked.is_file() => Ok(Command::new(unpacked)),
            found => Ok(Command::new(found?)),
        }
    }

    fn failed(&self, why: String) -> Error {
        Error::Build { program: self.name, why }
    }

    /// As go.mod requires it.
    fn version(&self) -> &'static str {
        let mut words = self.sources.iter().flat_map(|(_, text)| text.split_whitespace());
        words.find(|&word| word == self.version_of).and_then(|_| words.next()).unwrap_or("unknown")
    }

    /// Names all that the program is made from.
    fn digest(&self, go_version: &str) -> String {
        let mut hash = Sha256::new();
        let besides = [("go", go_version), ("package", self.package), ("flags", COMPILER_FLAGS)];
        for (name, content) in self.sources.iter().chain(&besides) {
            hash.update(format!("{name} {}\n{content}", content.len()));
        }
        let digest = hash.finalize();
        digest.iter().take(8).fold(format!("{}-", self.name), |text, byte| text + &format!("{byte:02x}"))
    }
}

fn remove(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::path("remove", dir)(e)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{HELM, KUBERNETES};

    #[test]
    fn versions_are_those_of_the_modules() {
        for (module, major) in [(KUBERNETES, "v1."), (HELM, "v3.")] {
            assert!(module.version().starts_with(major), "{}: {}", module.name, module.version());
        }
    }

    #[test]
    fn another_compiler_makes_another_program() {
        assert_ne!(KUBERNETES.digest("go1.26.0"), KUBERNETES.digest("go1.26.1"));
        assert_ne!(KUBERNETES.digest("go1.26.0"), HELM.digest("go1.26.0"));
    }
}
