//! Changes of every kind are told, soon where the system tells them and within seconds where it does not.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

use evermesh_agent::source::{self, Watch};
use tempfile::TempDir;
use tokio::time::timeout;

/// Below the interval of the slow re-check, so that only an event can be in time.
const SOON: Duration = Duration::from_secs(2);

fn directory() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    (directory, path)
}

/// Makes the change and waits until it is told.
async fn told(watch: &mut Watch, change: impl FnOnce()) {
    change();
    timeout(SOON, watch.changed()).await.unwrap();
}

fn swap_link(link: &Path, target: &str) {
    let aside = link.with_file_name("..data_tmp");
    symlink(target, &aside).unwrap();
    fs::rename(aside, link).unwrap();
}

#[tokio::test]
async fn a_file_written_in_place() {
    let (_directory, path) = directory();
    let file = path.join("mesh.yaml");
    fs::write(&file, "a").unwrap();
    let mut watch = Watch::new(&file).unwrap();
    told(&mut watch, || fs::write(&file, "b").unwrap()).await;
    told(&mut watch, || fs::write(&file, "c").unwrap()).await;
}

#[tokio::test]
async fn a_file_renamed_over_again_and_again() {
    let (_directory, path) = directory();
    let file = path.join("mesh.yaml");
    fs::write(&file, "a").unwrap();
    let mut watch = Watch::new(&file).unwrap();
    for text in ["b", "c", "d"] {
        let renamed = || {
            fs::write(path.join("mesh.yaml.new"), text).unwrap();
            fs::rename(path.join("mesh.yaml.new"), &file).unwrap();
        };
        told(&mut watch, renamed).await;
    }
}

#[tokio::test]
async fn a_file_that_appears_and_goes() {
    let (_directory, path) = directory();
    let file = path.join("mesh.yaml");
    let mut watch = Watch::new(&file).unwrap();
    told(&mut watch, || fs::write(&file, "a").unwrap()).await;
    told(&mut watch, || fs::remove_file(&file).unwrap()).await;
}

#[tokio::test]
async fn files_of_a_directory() {
    let (_directory, path) = directory();
    let mut watch = Watch::new(&path).unwrap();
    told(&mut watch, || fs::write(path.join("a.yaml"), "a").unwrap()).await;
    told(&mut watch, || fs::write(path.join("b.yml"), "b").unwrap()).await;
    told(&mut watch, || fs::remove_file(path.join("a.yaml")).unwrap()).await;
}

#[tokio::test]
async fn a_directory_that_is_replaced_by_another() {
    let (_directory, path) = directory();
    let mesh = path.join("mesh");
    fs::create_dir(&mesh).unwrap();
    let mut watch = Watch::new(&mesh).unwrap();
    let replaced = || {
        fs::create_dir(path.join("new")).unwrap();
        fs::rename(path.join("new"), &mesh).unwrap();
    };
    told(&mut watch, replaced).await;
    told(&mut watch, || fs::write(mesh.join("a.yaml"), "a").unwrap()).await;
}

/// As Kubernetes mounts a ConfigMap: files lead through a link, and only the link is swapped.
#[tokio::test]
async fn a_config_map_that_is_swapped() {
    let (_directory, path) = directory();
    for (version, text) in [("..1", "a"), ("..2", "b"), ("..3", "c")] {
        fs::create_dir(path.join(version)).unwrap();
        fs::write(path.join(version).join("mesh.yaml"), text).unwrap();
    }
    symlink("..1", path.join("..data")).unwrap();
    symlink("..data/mesh.yaml", path.join("mesh.yaml")).unwrap();
    let (mut of_file, mut of_directory) =
        (Watch::new(&path.join("mesh.yaml")).unwrap(), Watch::new(&path).unwrap());
    let mut digest = source::read(&path).unwrap().digest();
    for version in ["..2", "..3"] {
        told(&mut of_file, || swap_link(&path.join("..data"), version)).await;
        timeout(SOON, of_directory.changed()).await.unwrap();
        let new = source::read(&path).unwrap().digest();
        assert_ne!(std::mem::replace(&mut digest, new), new);
    }
}

#[tokio::test]
async fn a_file_behind_a_link_into_another_directory() {
    let (_directory, path) = directory();
    let (_elsewhere, real) = directory();
    fs::write(real.join("real.yaml"), "a").unwrap();
    symlink(real.join("real.yaml"), path.join("mesh.yaml")).unwrap();
    let mut watch = Watch::new(&path.join("mesh.yaml")).unwrap();
    told(&mut watch, || fs::write(real.join("real.yaml"), "b").unwrap()).await;
}

/// Nothing happens in any directory that is watched; time is not waited for, but skipped.
#[tokio::test(start_paused = true)]
async fn a_swap_that_no_event_tells() {
    let (_directory, path) = directory();
    for (version, text) in [("1", "a"), ("2", "b")] {
        fs::create_dir_all(path.join(version).join("mesh")).unwrap();
        fs::write(path.join(version).join("mesh/mesh.yaml"), text).unwrap();
    }
    symlink("1", path.join("current")).unwrap();
    let mut watch = Watch::new(&path.join("current/mesh/mesh.yaml")).unwrap();
    swap_link(&path.join("current"), "2");
    timeout(Duration::from_secs(10), watch.changed()).await.unwrap();
}

#[tokio::test]
async fn a_future_that_is_dropped_too_early_loses_nothing() {
    let (_directory, path) = directory();
    let file = path.join("mesh.yaml");
    let mut watch = Watch::new(&file).unwrap();
    fs::write(&file, "a").unwrap();
    let impatient = async { while timeout(Duration::from_millis(5), watch.changed()).await.is_err() {} };
    timeout(SOON, impatient).await.unwrap();
}
