//! BuildKit under podman: one container that runs the daemon and buildctl, and is gone afterwards.

use super::{
    super::{
        command::{CommandSpec, csv_record, words},
        plan::{Files, output_value},
        request::{BuildKit, BuildRequest, Context},
    },
    Runtime,
};
use crate::escape::escape;

pub(super) const PODMAN: Runtime = Runtime {
    name: "podman",
    rootless: true,
    builders: false,
    args_option: "--buildkit-args",
    version: &["podman", "--version"],
    image: with_registry,
    commands,
    warnings,
};

// Where things are inside the container.
const CONTEXT: &str = "/tmp/work";
const DOCKERFILE_DIR: &str = "/tmp/dockerfile";
const IMAGE_DIR: &str = "/tmp/image";
const CACHE_DIR: &str = "/tmp/cache";

fn commands(request: &BuildRequest, files: &Files) -> Vec<CommandSpec> {
    let mut argv = words(["podman", "run", "--rm"]);
    argv.push(format!("--name={}", files.container));
    if request.terminal {
        argv.extend(words(["--interactive", "--tty"]));
    }
    argv.push("--entrypoint=buildctl-daemonless.sh".to_owned());
    argv.extend(privileges(request.rootless));
    argv.extend(mounts(request, files));
    if let BuildKit::Image { reference, .. } = &request.builder {
        argv.push(with_registry(reference));
    }
    argv.extend(buildctl(request, files));
    // A signal to podman is handed to the container's first process, a shell, where it has no effect.
    let on_interrupt = Some(words(["podman", "rm", "--force", "--ignore", "--time=2", &files.container]));
    vec![CommandSpec { on_interrupt, ..CommandSpec::new(argv) }]
}

/// What BuildKit may do. `label=disable` lets it read the context under SELinux without relabelling the user's files.
fn privileges(rootless: bool) -> Vec<String> {
    let mut options = words(["--security-opt=label=disable"]);
    if rootless {
        options.extend(words([
            "--userns=keep-id:uid=1000,gid=1000",
            "--security-opt=seccomp=unconfined",
            "--security-opt=apparmor=unconfined",
            "--env=BUILDKITD_FLAGS=--oci-worker-no-process-sandbox",
        ]));
    } else {
        options.push("--privileged".to_owned());
    }
    options
}

/// `--mount` rather than `-v`: its value is comma-separated and quoted, so that a path may hold a colon.
fn mounts(request: &BuildRequest, files: &Files) -> Vec<String> {
    let bind = |source: &str, target: &str, read_only: bool| {
        let fields = [("type", "bind"), ("src", source), ("dst", target), ("ro", "true")];
        format!("--mount={}", csv_record(fields.into_iter().take(if read_only { 4 } else { 3 })))
    };
    let mut mounts = Vec::new();
    if request.cache {
        let fields = [("type", "volume"), ("src", "buildkit_cache"), ("dst", CACHE_DIR)];
        mounts.push(format!("--mount={}", csv_record(fields)));
    }
    let (directory, _) = split_path(&files.output);
    mounts.push(bind(directory, IMAGE_DIR, false));
    if let Context::Local(path) = &request.context {
        mounts.push(bind(path, CONTEXT, true));
    }
    if let Some(dockerfile) = files.dockerfile.as_ref().filter(|dockerfile| dockerfile.local) {
        let target = format!("{DOCKERFILE_DIR}/Dockerfile");
        mounts.push(bind(&dockerfile.path, &target, true));
        if let Some(ignore) = &dockerfile.ignore {
            mounts.push(bind(ignore, &format!("{target}.dockerignore"), true));
        }
    }
    mounts
}

fn buildctl(request: &BuildRequest, files: &Files) -> Vec<String> {
    let mut argv = words(["build", "--frontend=dockerfile.v0"]);
    let remote = match &request.context {
        Context::Local(_) => {
            argv.push(format!("--local=context={CONTEXT}"));
            false
        }
        Context::Remote(url) => {
            argv.push(format!("--opt=context={url}"));
            true
        }
    };
    match &files.dockerfile {
        Some(dockerfile) if dockerfile.local => {
            argv.push(format!("--local=dockerfile={DOCKERFILE_DIR}"));
            if remote {
                // Without this key the frontend looks for the Dockerfile in the remote context only.
                argv.push("--opt=dockerfilekey=dockerfile".to_owned());
            }
        }
        Some(dockerfile) => argv.push(format!("--opt=filename={}", dockerfile.path)),
        None if remote => {}
        None => argv.push(format!("--local=dockerfile={CONTEXT}")),
    }
    argv.push(format!("--opt=build-arg:SOURCE_DATE_EPOCH={}", request.source_date_epoch));
    argv.extend(request.build_args.iter().map(|arg| format!("--opt=build-arg:{arg}")));
    if !request.platforms.is_empty() {
        argv.push(format!("--opt=platform={}", request.platforms.join(",")));
    }
    argv.push(format!("--output={}", output(request, files)));
    if request.cache {
        argv.push(format!("--export-cache=type=local,mode=max,dest={CACHE_DIR}"));
        argv.push(format!("--import-cache=type=local,src={CACHE_DIR}"));
    } else {
        argv.extend(words(["--no-cache", "--opt=image-resolve-mode=pull"]));
    }
    argv.extend(request.extra_args.iter().cloned());
    argv
}

/// buildctl has no options for tags and annotations: they are fields of the exporter. Provenance it adds only where
/// an `attest:provenance` option stands, whatever its value, so off is to leave it out.
fn output(request: &BuildRequest, files: &Files) -> String {
    let (_, name) = split_path(&files.output);
    let tags = (!request.tags.is_empty()).then(|| ("name".to_owned(), request.tags.join(",")));
    let annotations = request.annotations.iter().flat_map(|annotation| annotation_fields(annotation));
    output_value(request, &format!("{IMAGE_DIR}/{name}"), tags.into_iter().chain(annotations))
}

/// `manifest[linux/amd64],index:key=value`, as buildx takes it, as exporter fields; without a type it is the manifest.
fn annotation_fields(annotation: &str) -> Vec<(String, String)> {
    let (key, value) = annotation.split_once('=').unwrap_or((annotation, ""));
    let Some((types, key)) = key.split_once(':') else {
        return vec![(format!("annotation.{key}"), value.to_owned())];
    };
    types.split(',').map(|kind| (format!("annotation-{kind}.{key}"), value.to_owned())).collect()
}

fn warnings(request: &BuildRequest) -> Vec<String> {
    let upper = |annotation: &&String| {
        annotation.split('=').next().is_some_and(|key| key.chars().any(char::is_uppercase))
    };
    let warn = |annotation: &String| {
        let key = annotation.split('=').next().unwrap_or_default();
        format!("buildctl writes the annotation key '{}' in lower case", escape(key.as_bytes()))
    };
    request.annotations.iter().filter(upper).map(warn).collect()
}

/// Directory and name of an absolute path.
fn split_path(path: &str) -> (&str, &str) {
    match path.rsplit_once('/') {
        Some(("", name)) => ("/", name),
        Some(split) => split,
        None => (".", path),
    }
}

/// The reference with docker.io before it where it names no registry: podman has no default registry. The rule is
/// Docker's: a first component with a dot or a colon, or `localhost`, is a registry.
fn with_registry(reference: &str) -> String {
    match reference.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => reference.to_owned(),
        Some(_) => format!("docker.io/{reference}"),
        None => format!("docker.io/library/{reference}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_without_a_registry_get_one() {
        for (reference, full) in [
            ("moby/buildkit:v1@sha256:ab", "docker.io/moby/buildkit:v1@sha256:ab"),
            ("buildkit:v1", "docker.io/library/buildkit:v1"),
            ("docker.io/moby/buildkit", "docker.io/moby/buildkit"),
            ("ghcr.io/a/b", "ghcr.io/a/b"),
            ("localhost/a", "localhost/a"),
            ("mirror:5000/a", "mirror:5000/a"),
        ] {
            assert_eq!(with_registry(reference), full);
        }
    }
}
