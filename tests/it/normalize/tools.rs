//! The output as other programs read it: skopeo checks every digest, engines load it.

use tempfile::TempDir;

use super::*;
use crate::support::tool;

/// Normalised archives of every layout and level, by name, with the image ID that engines must see.
fn outputs(folder: &TempDir) -> Vec<(PathBuf, Option<Layout>, String)> {
    let inputs = ["tiny-bk-docker-plain.tar", "tiny-docker20-save.tar", "tiny-podman43-save-oci-archive.tar"];
    let mut outputs = Vec::new();
    for input in inputs {
        for (level, layout) in [
            (Level::Clamp, Some(Layout::Docker)),
            (Level::Canonical, Some(Layout::Oci)),
            (Level::Sorted, Some(Layout::Docker)),
            (Level::Clamp, None),
        ] {
            let options = Options { layout, ..Options::new(level, Some(0)) };
            let (out, outcome) = run(&read(&good(input)), &options).unwrap();
            let path = folder.path().join(format!("{}-{level:?}-{layout:?}.tar", input.replace(".tar", "")));
            fs::write(&path, &out).unwrap();
            let id = if outcome.layout == "docker" {
                json(&files(&out)["manifest.json"])[0]["Config"].as_str().unwrap().replace(".json", "")
            } else {
                digest("sha256", &first_image(&files(&out)).1).replace("sha256:", "")
            };
            outputs.push((path, layout, id));
        }
    }
    outputs
}

#[test]
fn skopeo_reads_and_copies_every_layout() {
    let Some(skopeo) = tool("skopeo") else { return };
    let folder = TempDir::new().unwrap();
    for (path, layout, id) in outputs(&folder) {
        let shown = path.display();
        let has_index = files(&read(&path)).contains_key("index.json");
        let mut kinds = Vec::new();
        kinds.extend(has_index.then_some("oci-archive"));
        kinds.extend((layout != Some(Layout::Oci) && !has_index).then_some("docker-archive"));
        for kind in kinds {
            let from = format!("{kind}:{shown}");
            assert_eq!(json(skopeo.run(["inspect", &from]).as_bytes())["Os"], "linux");
            let to = TempDir::new().unwrap();
            skopeo.run(["--insecure-policy", "copy", "-q", &from, &format!("dir:{}", to.path().display())]);
            let manifest = json(&read(&to.path().join("manifest.json")));
            assert_eq!(manifest["config"]["digest"], format!("sha256:{id}"), "{shown}");
        }
    }
}

#[test]
fn podman_loads_what_was_normalised() {
    let Some(podman) = tool("podman") else { return };
    let folder = TempDir::new().unwrap();
    for (path, _, id) in outputs(&folder) {
        let store = TempDir::new().unwrap();
        let part = |name: &str| store.path().join(name).display().to_string();
        let (root, runroot) = (part("root"), part("runroot"));
        let global = ["--root", &root, "--runroot", &runroot, "--storage-driver", "vfs"];
        let load = ["load", "-q", "-i", path.to_str().unwrap()];
        let loaded = podman.command().args(global).args(load).output().unwrap();
        let errors = String::from_utf8_lossy(&loaded.stderr).into_owned();
        assert!(loaded.status.success(), "{}: {errors}", path.display());
        let images = podman.run(global.into_iter().chain(["images", "--no-trunc", "-q"]));
        assert!(images.contains(&id), "{}: {images} lacks {id}", path.display());
    }
}
