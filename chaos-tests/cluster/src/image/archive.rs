use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use super::Image;
use crate::{Error, Result};

/// Writes the image layout of OCI as one tar file: a layer, its configuration, a manifest of both, and an index.
pub(super) fn write(image: &Image, archive: &Path) -> Result<()> {
    let layer = layer(image)?;
    let (layer_at, configuration) = (Blob::of(&layer), configuration(image, &layer));
    let configuration_at = Blob::of(&configuration);
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": configuration_at.descriptor("application/vnd.oci.image.config.v1+json"),
        "layers": [layer_at.descriptor("application/vnd.oci.image.layer.v1.tar")],
    })
    .to_string()
    .into_bytes();
    let manifest_at = Blob::of(&manifest);
    let mut entry = manifest_at.descriptor("application/vnd.oci.image.manifest.v1+json");
    // The name that containerd gives it.
    entry["annotations"] = json!({"io.containerd.image.name": image.name});
    let index = json!({"schemaVersion": 2, "manifests": [entry]}).to_string();
    let layout = json!({"imageLayoutVersion": "1.0.0"}).to_string();
    let file = File::create(archive).map_err(Error::path("create", archive))?;
    let mut tar = Builder::new(file);
    [
        ("oci-layout".to_owned(), layout.into_bytes()),
        ("index.json".to_owned(), index.into_bytes()),
        (layer_at.path(), layer),
        (configuration_at.path(), configuration),
        (manifest_at.path(), manifest),
    ]
    .iter()
    .try_for_each(|(path, content)| add(&mut tar, path, 0o644, content))
    .and_then(|()| tar.finish())
    .map_err(Error::path("write", archive))
}

/// Something that is found by its digest.
struct Blob {
    digest: String,
    size: usize,
}

impl Blob {
    fn of(content: &[u8]) -> Self {
        Self { digest: format!("{:x}", Sha256::digest(content)), size: content.len() }
    }

    fn path(&self) -> String {
        format!("blobs/sha256/{}", self.digest)
    }

    fn descriptor(&self, media_type: &str) -> Value {
        json!({"mediaType": media_type, "digest": format!("sha256:{}", self.digest), "size": self.size})
    }
}

fn layer(image: &Image) -> Result<Vec<u8>> {
    let mut tar = Builder::new(Vec::new());
    for file in &image.files {
        let content = fs::read(&file.of).map_err(Error::path("read", &file.of))?;
        add(&mut tar, &file.at, 0o755, &content).map_err(Error::path("pack", &file.of))?;
    }
    tar.into_inner().map_err(Error::path("pack", &image.name))
}

/// The same bytes make the same image: no times, no owners.
fn add(tar: &mut Builder<impl Write>, path: &str, mode: u32, content: &[u8]) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(mode);
    header.set_size(content.len() as u64);
    tar.append_data(&mut header, path, content)
}

fn configuration(image: &Image, layer: &[u8]) -> Vec<u8> {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    json!({
        "architecture": architecture,
        "os": "linux",
        "config": {
            "Entrypoint": image.entrypoint,
            "Cmd": image.command,
            "Env": ["PATH=/usr/local/bin:/bin"],
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{:x}", Sha256::digest(layer))]},
    })
    .to_string()
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_files_make_the_same_archive() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("program");
        fs::write(&file, "content").unwrap();
        let written = |name: &str, at: &str| {
            let files = vec![super::super::File { of: file.clone(), at: at.to_owned() }];
            let (entrypoint, command) = (vec![format!("/{at}")], Vec::new());
            let archive = dir.path().join(name);
            write(&Image { name: "test:1".to_owned(), files, entrypoint, command }, &archive).unwrap();
            fs::read(archive).unwrap()
        };
        assert_eq!(written("one", "bin/program"), written("another", "bin/program"));
        assert_ne!(written("one", "bin/program"), written("another", "bin/other"));
    }
}
