use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use hickory_resolver::{
    TokioResolver,
    config::{ResolveHosts, ResolverConfig, ResolverOpts},
    name_server::TokioConnectionProvider,
    system_conf::parse_resolv_conf,
};
use tracing::warn;

/// The name servers that a file names, as long as it does.
pub(super) struct Servers<'a> {
    file: &'a Path,
    read: Option<(Option<Stamp>, TokioResolver)>,
}

/// What changes when a file does, or another one takes its place.
#[derive(PartialEq, Eq)]
struct Stamp {
    inode: u64,
    length: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(file: &Path) -> Option<Self> {
        let found = fs::metadata(file).ok()?;
        let changed = (found.ctime(), found.ctime_nsec());
        Some(Self { inode: found.ino(), length: found.len(), changed })
    }
}

impl<'a> Servers<'a> {
    pub fn of(file: &'a Path) -> Self {
        Self { file, read: None }
    }

    /// Asks those that the file names by now.
    pub fn resolver(&mut self) -> &TokioResolver {
        let stamp = Stamp::of(self.file);
        let same = self.read.take().filter(|(before, _)| *before == stamp);
        &self.read.insert(same.unwrap_or_else(|| (stamp, resolver(self.file)))).1
    }
}

/// Every answer is asked for when it is needed, so none is kept here.
fn resolver(resolv_conf: &Path) -> TokioResolver {
    let read = fs::read(resolv_conf).map_err(|error| error.to_string());
    let parsed = read.and_then(|text| parse_resolv_conf(text).map_err(|error| error.to_string()));
    let (config, mut options) = parsed.unwrap_or_else(|error| {
        warn!(file = %resolv_conf.display(), error, "no name servers: hostnames lead where they led last");
        (ResolverConfig::new(), ResolverOpts::default())
    });
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    TokioResolver::builder_with_config(config, TokioConnectionProvider::default())
        .with_options(options)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(servers: &mut Servers<'_>) -> Vec<String> {
        let mut addresses: Vec<_> = servers
            .resolver()
            .config()
            .name_servers()
            .iter()
            .map(|server| server.socket_addr.ip().to_string())
            .collect();
        addresses.dedup();
        addresses
    }

    #[test]
    fn a_file_that_comes_later_or_changes_or_goes_is_followed() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("resolv.conf");
        let mut servers = Servers::of(&file);
        assert!(addresses(&mut servers).is_empty());
        fs::write(&file, "nameserver 127.0.0.1\n").unwrap();
        assert_eq!(addresses(&mut servers), ["127.0.0.1"]);
        let other = directory.path().join("other");
        fs::write(&other, "nameserver 127.0.0.2\n").unwrap();
        fs::rename(&other, &file).unwrap();
        assert_eq!(addresses(&mut servers), ["127.0.0.2"]);
        fs::remove_file(&file).unwrap();
        assert!(addresses(&mut servers).is_empty());
    }
}
