//! Replacing a file so that a reader, also one after a power cut, finds the old or the new content, never a mixture.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// Replaces `path` for every reader that lives; a power cut may lose it.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    write_aside(path, content)?;
    fs::rename(aside(path), path)
}

/// Replaces `path`; when this returns, the new content survives a power cut.
pub fn replace_durably(path: &Path, content: &[u8]) -> io::Result<()> {
    write_aside(path, content)?.sync_all()?;
    fs::rename(aside(path), path)?;
    sync_parent(path)
}

/// Makes the entry of `path` in its directory, or its absence, survive a power cut.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

fn write_aside(path: &Path, content: &[u8]) -> io::Result<File> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(aside(path))?;
    file.write_all(content)?;
    Ok(file)
}

fn aside(path: &Path) -> PathBuf {
    path.with_added_extension("new")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_the_content_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for (content, replace_with) in
            [("long content", replace as fn(&Path, &[u8]) -> _), ("short", replace_durably)]
        {
            replace_with(&path, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn what_an_interrupted_writer_left_beside_the_file_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(aside(&path), "half of something much longer").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }
}
