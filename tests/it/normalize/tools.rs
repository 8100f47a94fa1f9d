//! The output as other programs read it: skopeo checks every digest, engines load it.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use repro_build::codec::Compression;
use tempfile::TempDir;

use super::*;
use crate::support::{Tool, skipped, tool};

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

/// An image as it was before OCI: all media types are Docker's.
fn of_docker_types() -> ImageBuilder {
    const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    let manifest = |manifest: &mut Value| {
        manifest["mediaType"] = MANIFEST.into();
        manifest["config"]["mediaType"] = "application/vnd.docker.container.image.v1+json".into();
        for layer in manifest["layers"].as_array_mut().unwrap() {
            layer["mediaType"] = "application/vnd.docker.image.rootfs.diff.tar.gzip".into();
        }
    };
    let index = |index: &mut Value| index["manifests"][0]["mediaType"] = MANIFEST.into();
    ImageBuilder::good().layout(Written::Oci).json(Doc::Manifest(0), manifest).json(Doc::Index, index)
}

#[test]
fn zstd_needs_media_types_that_know_it() {
    let input = of_docker_types().tar();
    let mut options = Options { compression: Some(Compression::Zstd), ..Options::new(Level::Clamp, Some(0)) };
    let refused = run(&input, &options).unwrap_err();
    assert!(refused.to_string().contains("--rule manifest.form"), "{refused}");
    options.active.add("manifest.form").unwrap();
    let (out, _) = run(&input, &options).unwrap();
    let Some(skopeo) = tool("skopeo") else { return };
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("out.tar"), out).unwrap();
    let from = format!("oci-archive:{}", folder.path().join("out.tar").display());
    let copy = folder.path().join("copy");
    skopeo.run(["--insecure-policy", "copy", "-q", &from, &format!("dir:{}", copy.display())]);
    let manifest = json(&read(&copy.join("manifest.json")));
    let layer = "application/vnd.oci.image.layer.v1.tar+zstd";
    assert!(manifest["layers"].as_array().unwrap().iter().all(|it| it["mediaType"] == layer), "{manifest}");
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

/// A docker engine of its own, without network, that ends with this value.
struct Engine {
    docker: Tool,
    folder: TempDir,
    /// The daemon before the one it needs: each is ended in this order.
    daemons: Vec<Child>,
}

impl Engine {
    /// Starts one; `None`, and said so, where engines cannot run: they want to be root, and to mount.
    fn start() -> Option<Engine> {
        let (containerd, dockerd) = (tool("containerd")?, tool("dockerd")?);
        let mut engine =
            Engine { docker: tool("docker")?, folder: TempDir::new().unwrap(), daemons: Vec::new() };
        let part = |name: &str| engine.folder.path().join(name).display().to_string();
        let log = fs::File::create(part("log")).unwrap();
        let config = format!(
            "version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\nroot = {:?}\n",
            part("croot")
        );
        fs::write(part("config.toml"), config).unwrap();
        let begin = |tool: &Tool, args: &[&str]| {
            tool.command().args(args).stdout(Stdio::null()).stderr(log.try_clone().unwrap()).spawn().unwrap()
        };
        let socket = part("containerd");
        let below = begin(
            &containerd,
            &["--config", &part("config.toml"), "--address", &socket, "--state", &part("cstate")],
        );
        let above = begin(
            &dockerd,
            &[
                ["--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs"].as_slice(),
                &["--containerd", &socket, "--pidfile", &part("pid"), "--data-root", &part("data")],
                &["--host", &format!("unix://{}", part("socket")), "--exec-root", &part("exec")],
            ]
            .concat(),
        );
        engine.daemons = vec![above, below];
        let patience = Instant::now() + Duration::from_secs(60);
        while Instant::now() < patience && engine.daemons[0].try_wait().unwrap().is_none() {
            if engine.docker(&["version"]).status.success() {
                return Some(engine);
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        let log = fs::read_to_string(engine.folder.path().join("log")).unwrap();
        skipped(&format!("dockerd does not run here: {}", log.lines().last().unwrap_or_default()));
        None
    }

    fn docker(&self, args: &[&str]) -> std::process::Output {
        let host = format!("unix://{}", self.folder.path().join("socket").display());
        self.docker.command().args(["--host", &host]).args(args).output().unwrap()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for daemon in &mut self.daemons {
            // Asked, not killed: they take their mounts away.
            let _ = Command::new("kill").arg(daemon.id().to_string()).status();
            let _ = daemon.wait();
        }
    }
}

#[test]
fn docker_loads_what_was_normalised() {
    let Some(engine) = Engine::start() else { return };
    let folder = TempDir::new().unwrap();
    let mut count = 0;
    for (path, _, id) in outputs(&folder) {
        // Engines before 25 load no layout without it.
        if !files(&read(&path)).contains_key("manifest.json") {
            continue;
        }
        let loaded = engine.docker(&["load", "-i", path.to_str().unwrap()]);
        let errors = String::from_utf8_lossy(&loaded.stderr).into_owned();
        assert!(loaded.status.success(), "{}: {errors}", path.display());
        let images = engine.docker(&["images", "--all", "--no-trunc", "--quiet"]).stdout;
        let images = String::from_utf8(images).unwrap();
        assert!(images.contains(&id), "{}: {images} lacks {id}", path.display());
        count += 1;
    }
    assert!(count >= 6, "only {count} archives have a manifest.json");
}
