//! BuildKit under docker: buildx with its docker-container driver.

use super::{
    super::{
        command::{CommandSpec, words},
        plan::{Files, output_value},
        request::{BuildKit, BuildRequest},
    },
    Runtime,
};
use crate::digest::{Algorithm, Digest};

pub(super) const DOCKER: Runtime = Runtime {
    name: "docker",
    rootless: false,
    builders: true,
    args_option: "--buildx-args",
    version: &["docker", "buildx", "version"],
    image: str::to_owned,
    commands,
    warnings: |_| Vec::new(),
};

fn commands(request: &BuildRequest, files: &Files) -> Vec<CommandSpec> {
    match &request.builder {
        BuildKit::Existing(name) => vec![build(request, files, name)],
        BuildKit::Image { reference, .. } => {
            let name = builder_name(reference);
            vec![create(&name, reference), build(request, files, &name)]
        }
    }
}

/// One builder per BuildKit image: the name follows from the reference, so that a builder that is there already is
/// the right one.
fn builder_name(reference: &str) -> String {
    format!("repro-build-{}", Digest::of(Algorithm::Sha256, reference.as_bytes()).hex())
}

fn create(name: &str, reference: &str) -> CommandSpec {
    let mut argv = words(["docker", "buildx", "create", "--driver=docker-container"]);
    argv.push(format!("--name={name}"));
    argv.push(format!("--driver-opt=image={reference}"));
    let unless = Some(words(["docker", "buildx", "inspect", name]));
    CommandSpec { unless, ..CommandSpec::new(argv) }
}

fn build(request: &BuildRequest, files: &Files, builder: &str) -> CommandSpec {
    let mut argv = words(["docker", "buildx", "build"]);
    argv.push(format!("--builder={builder}"));
    argv.push(format!("--build-arg=SOURCE_DATE_EPOCH={}", request.source_date_epoch));
    argv.extend(request.build_args.iter().map(|arg| format!("--build-arg={arg}")));
    argv.extend(request.annotations.iter().map(|annotation| format!("--annotation={annotation}")));
    argv.push("--provenance=false".to_owned());
    argv.push(format!("--output={}", output_value(request, &files.output, [])));
    if !request.cache {
        argv.extend(words(["--no-cache", "--pull"]));
    }
    argv.extend(request.tags.iter().map(|tag| format!("--tag={tag}")));
    argv.extend(files.dockerfile.iter().map(|dockerfile| format!("--file={}", dockerfile.path)));
    if !request.platforms.is_empty() {
        argv.push(format!("--platform={}", request.platforms.join(",")));
    }
    argv.extend(request.extra_args.iter().cloned());
    argv.push(request.context.as_str().to_owned());
    CommandSpec::new(argv)
}
