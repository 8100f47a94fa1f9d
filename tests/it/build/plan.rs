//! Golden command lines: the whole of the plainest build, and for every option what it adds and takes away.

use std::collections::BTreeSet;

use repro_build::build::{BuildRequest, Builder, Dockerfile, Exporter, Files, Plan, plan, shell_line};

use super::environment::{Machine, flags, usage};

const V31: &str =
    "moby/buildkit:v0.31.0@sha256:a095b3d11ce1a9a05b6064ef515dfca0291ec5bcf2ea8178da8f6461924294e1";
// printf %s "$V31" | sha256sum
const BUILDER: &str = "repro-build-e405d36042009f8575f944f17b4359663fba57994badcd827979f747f35b1291";

fn files() -> Files {
    Files { output: "/home/u/image.tar".into(), dockerfile: None, container: "repro-build-x".into() }
}

fn request(runtime: &str, change: impl Fn(&mut Builder)) -> repro_build::error::Result<BuildRequest> {
    let mut flags = Builder { runtime: Some(runtime.into()), ..flags() };
    change(&mut flags);
    BuildRequest::resolve(&flags, &Machine { vars: [("FROM_ENV", "e,\"v")].into(), ..Machine::default() })
}

fn planned(runtime: &str, change: impl Fn(&mut Builder)) -> Plan {
    plan(&request(runtime, change).unwrap(), &files())
}

/// The words of the command that builds.
fn build(plan: &Plan) -> &[String] {
    &plan.commands.last().unwrap().argv
}

#[test]
fn the_plainest_docker_build() {
    let plan = planned("docker", |_| {});
    let [create, build] = &plan.commands[..] else { panic!("{plan:?}") };
    assert_eq!(create.unless.as_deref().map(shell_line), Some(format!("docker buildx inspect {BUILDER}")));
    assert_eq!(
        create.argv.join(" "),
        format!("docker buildx create --driver=docker-container --name={BUILDER} --driver-opt=image={V31}")
    );
    assert_eq!(
        shell_line(&build.argv),
        format!(
            "docker buildx build --builder={BUILDER} --build-arg=SOURCE_DATE_EPOCH=1735689600 --provenance=false \
             --output=type=docker,dest=/home/u/image.tar,rewrite-timestamp=true,oci-mediatypes=true /home/u/app"
        )
    );
    assert_eq!((build.unless.as_ref(), build.on_interrupt.as_ref()), (None, None));
    assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
}

#[test]
fn the_plainest_podman_build() {
    let plan = planned("podman", |_| {});
    let [build] = &plan.commands[..] else { panic!("{plan:?}") };
    let image = format!("docker.io/{V31}");
    let expected = [
        "podman",
        "run",
        "--rm",
        "--name=repro-build-x",
        "--entrypoint=buildctl-daemonless.sh",
        "--security-opt=label=disable",
        "--privileged",
        "--mount=type=volume,src=buildkit_cache,dst=/tmp/cache",
        "--mount=type=bind,src=/home/u,dst=/tmp/image",
        "--mount=type=bind,src=/home/u/app,dst=/tmp/work,ro=true",
        &image,
        "build",
        "--frontend=dockerfile.v0",
        "--local=context=/tmp/work",
        "--local=dockerfile=/tmp/work",
        "--opt=build-arg:SOURCE_DATE_EPOCH=1735689600",
        "--output=type=docker,dest=/tmp/image/image.tar,rewrite-timestamp=true,oci-mediatypes=true",
        "--export-cache=type=local,mode=max,dest=/tmp/cache",
        "--import-cache=type=local,src=/tmp/cache",
    ];
    assert_eq!(build.argv, expected);
    let stop = build.on_interrupt.as_deref().map(shell_line);
    assert_eq!(stop.as_deref(), Some("podman rm --force --ignore --time=2 repro-build-x"));
    assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
}

/// What one option adds to the plainest build and takes from it.
type Change<'a> = (&'a [&'a str], &'a [&'a str]);

struct Case {
    name: &'static str,
    set: fn(&mut Builder),
    /// `None`: refused.
    docker: Option<Change<'static>>,
    podman: Option<Change<'static>>,
}

const DOCKER_OUT: &str =
    "--output=type=docker,dest=/home/u/image.tar,rewrite-timestamp=true,oci-mediatypes=true";
const PODMAN_OUT: &str =
    "--output=type=docker,dest=/tmp/image/image.tar,rewrite-timestamp=true,oci-mediatypes=true";
const CACHE: [&str; 3] = [
    "--mount=type=volume,src=buildkit_cache,dst=/tmp/cache",
    "--export-cache=type=local,mode=max,dest=/tmp/cache",
    "--import-cache=type=local,src=/tmp/cache",
];
const PODMAN_V31: &str =
    "docker.io/moby/buildkit:v0.31.0@sha256:a095b3d11ce1a9a05b6064ef515dfca0291ec5bcf2ea8178da8f6461924294e1";

const CASES: &[Case] = &[
    Case {
        name: "--datetime",
        set: |f| (f.source_date_epoch, f.datetime) = (None, Some("2025-01-01T00:00:01".into())),
        docker: Some((
            &["--build-arg=SOURCE_DATE_EPOCH=1735689601"],
            &["--build-arg=SOURCE_DATE_EPOCH=1735689600"],
        )),
        podman: Some((
            &["--opt=build-arg:SOURCE_DATE_EPOCH=1735689601"],
            &["--opt=build-arg:SOURCE_DATE_EPOCH=1735689600"],
        )),
    },
    Case {
        name: "--no-cache",
        set: |f| f.no_cache = true,
        docker: Some((&["--no-cache", "--pull"], &[])),
        podman: Some((&["--no-cache", "--opt=image-resolve-mode=pull"], &CACHE)),
    },
    Case {
        name: "--rootless",
        set: |f| f.rootless = true,
        docker: None,
        podman: Some((
            &[
                "--userns=keep-id:uid=1000,gid=1000",
                "--security-opt=seccomp=unconfined",
                "--security-opt=apparmor=unconfined",
                "--env=BUILDKITD_FLAGS=--oci-worker-no-process-sandbox",
                "docker.io/moby/buildkit:v0.31.0-rootless@sha256:\
                 e335bfb48eec12110318aced51f75161f01e765dd13e6041c0f4600b7c93507f",
            ],
            &["--privileged", PODMAN_V31],
        )),
    },
    Case {
        name: "--buildkit-image with a registry",
        set: |f| f.buildkit_image = Some("mirror.example:5000/bk:1".into()),
        docker: Some((
            &[
                "--builder=repro-build-05bad054b2bcbfd4751315daa783826582816fca11f55dd3007d7806f006973e",
                "--output=type=docker,dest=/home/u/image.tar,rewrite-timestamp=true",
            ],
            &[
                "--builder=repro-build-e405d36042009f8575f944f17b4359663fba57994badcd827979f747f35b1291",
                DOCKER_OUT,
            ],
        )),
        podman: Some((
            &[
                "mirror.example:5000/bk:1",
                "--output=type=docker,dest=/tmp/image/image.tar,rewrite-timestamp=true",
            ],
            &[PODMAN_V31, PODMAN_OUT],
        )),
    },
    Case {
        name: "--builder",
        set: |f| f.builder = Some("mine".into()),
        docker: Some((
            &["--builder=mine", "--output=type=docker,dest=/home/u/image.tar,rewrite-timestamp=true"],
            &[
                "--builder=repro-build-e405d36042009f8575f944f17b4359663fba57994badcd827979f747f35b1291",
                DOCKER_OUT,
            ],
        )),
        podman: None,
    },
    Case {
        name: "--oci-mediatypes",
        set: |f| f.oci_mediatypes = Some(false),
        docker: Some((
            &["--output=type=docker,dest=/home/u/image.tar,rewrite-timestamp=true,oci-mediatypes=false"],
            &[DOCKER_OUT],
        )),
        podman: Some((
            &["--output=type=docker,dest=/tmp/image/image.tar,rewrite-timestamp=true,oci-mediatypes=false"],
            &[PODMAN_OUT],
        )),
    },
    Case {
        name: "--exporter and --platform",
        set: |f| {
            f.exporter = Some(Exporter::Oci);
            f.platforms = vec!["linux/amd64,linux/arm64".into(), "linux/arm/v7".into()];
        },
        docker: Some((
            &[
                "--output=type=oci,dest=/home/u/image.tar,rewrite-timestamp=true,oci-mediatypes=true",
                "--platform=linux/amd64,linux/arm64,linux/arm/v7",
            ],
            &[DOCKER_OUT],
        )),
        podman: Some((
            &[
                "--output=type=oci,dest=/tmp/image/image.tar,rewrite-timestamp=true,oci-mediatypes=true",
                "--opt=platform=linux/amd64,linux/arm64,linux/arm/v7",
            ],
            &[PODMAN_OUT],
        )),
    },
    Case {
        name: "--tag, hostile too",
        set: |f| f.tags = vec!["-it".into(), "r.example/a:1".into(), "x\"y".into()],
        docker: Some((&["--tag=-it", "--tag=r.example/a:1", "--tag=x\"y"], &[])),
        podman: Some((
            &["--output=type=docker,dest=/tmp/image/image.tar,rewrite-timestamp=true,oci-mediatypes=true,\
               \"name=-it,r.example/a:1,x\"\"y\""],
            &[PODMAN_OUT],
        )),
    },
    Case {
        name: "--build-arg, hostile too",
        set: |f| f.build_args = vec!["--push=1".into(), "A=x, \"y\"\n$(z)".into(), "FROM_ENV".into()],
        docker: Some((
            &["--build-arg=--push=1", "--build-arg=A=x, \"y\"\n$(z)", "--build-arg=FROM_ENV=e,\"v"],
            &[],
        )),
        podman: Some((
            &[
                "--opt=build-arg:--push=1",
                "--opt=build-arg:A=x, \"y\"\n$(z)",
                "--opt=build-arg:FROM_ENV=e,\"v",
            ],
            &[],
        )),
    },
    Case {
        name: "--annotation, hostile too",
        set: |f| {
            f.annotations = vec![
                "a=1,push=true".into(),
                "b=say \"x\"\ny".into(),
                "manifest[linux/amd64],index:c=d=e".into(),
            ];
        },
        docker: Some((
            &[
                "--annotation=a=1,push=true",
                "--annotation=b=say \"x\"\ny",
                "--annotation=manifest[linux/amd64],index:c=d=e",
            ],
            &[],
        )),
        podman: Some((
            &["--output=type=docker,dest=/tmp/image/image.tar,rewrite-timestamp=true,oci-mediatypes=true,\
               \"annotation.a=1,push=true\",\"annotation.b=say \"\"x\"\"\ny\",\
               annotation-manifest[linux/amd64].c=d=e,annotation-index.c=d=e"],
            &[PODMAN_OUT],
        )),
    },
    Case {
        name: "CONTEXT with a colon, a comma, a quote and a space",
        set: |f| f.context = "app/a:b,c \"d".into(),
        docker: Some((&["/home/u/app/a:b,c \"d"], &["/home/u/app"])),
        podman: Some((
            &["--mount=type=bind,\"src=/home/u/app/a:b,c \"\"d\",dst=/tmp/work,ro=true"],
            &["--mount=type=bind,src=/home/u/app,dst=/tmp/work,ro=true"],
        )),
    },
    Case {
        name: "a git CONTEXT",
        set: |f| f.context = "https://example.org/r.git#v1:d".into(),
        docker: Some((&["https://example.org/r.git#v1:d"], &["/home/u/app"])),
        podman: Some((
            &["--opt=context=https://example.org/r.git#v1:d"],
            &[
                "--mount=type=bind,src=/home/u/app,dst=/tmp/work,ro=true",
                "--local=context=/tmp/work",
                "--local=dockerfile=/tmp/work",
            ],
        )),
    },
    Case {
        name: "--buildx-args",
        set: |f| f.buildx_args = Some("--label 'a=b c'".into()),
        docker: Some((&["--label", "a=b c"], &[])),
        podman: None,
    },
    Case {
        name: "--buildkit-args",
        set: |f| f.buildkit_args = Some("--opt target=x".into()),
        docker: None,
        podman: Some((&["--opt", "target=x"], &[])),
    },
];

fn set<'a>(words: &[&'a str]) -> BTreeSet<&'a str> {
    words.iter().copied().collect()
}

#[test]
fn every_option_changes_the_command_as_it_should() {
    for runtime in ["docker", "podman"] {
        let plain = planned(runtime, |_| {});
        for case in CASES {
            let expected = if runtime == "docker" { case.docker } else { case.podman };
            let Some((added, removed)) = expected else {
                usage(request(runtime, case.set));
                continue;
            };
            let changed = planned(runtime, case.set);
            let [before, after] = [&plain, &changed].map(|plan| build(plan).iter().map(String::as_str));
            let (before, after) = (before.collect::<Vec<_>>(), after.collect::<Vec<_>>());
            let (before, after) = (set(&before), set(&after));
            assert_eq!(&after - &before, set(added), "{runtime} {} adds", case.name);
            assert_eq!(&before - &after, set(removed), "{runtime} {} takes away", case.name);
        }
    }
}

#[test]
fn a_podman_terminal_is_used_only_where_there_is_one() {
    for terminal in [false, true] {
        let flags = Builder { runtime: Some("podman".into()), ..flags() };
        let machine = Machine { terminal, ..Machine::default() };
        let plan = plan(&BuildRequest::resolve(&flags, &machine).unwrap(), &files());
        let asked = ["--interactive", "--tty"].map(|word| build(&plan).iter().any(|other| other == word));
        assert_eq!(asked, [terminal; 2]);
    }
}

#[test]
fn an_output_path_cannot_add_an_exporter_key() {
    let files = Files { output: "/home/u/o,type=image,push=true/a \"b:c.tar".into(), ..files() };
    let docker = plan(&request("docker", |_| {}).unwrap(), &files);
    let output = "--output=type=docker,\"dest=/home/u/o,type=image,push=true/a \"\"b:c.tar\",rewrite-timestamp=true,\
                  oci-mediatypes=true";
    assert!(build(&docker).iter().any(|word| word == output), "{docker:?}");
    let podman = plan(&request("podman", |_| {}).unwrap(), &files);
    for word in [
        "--mount=type=bind,\"src=/home/u/o,type=image,push=true\",dst=/tmp/image",
        "--output=type=docker,\"dest=/tmp/image/a \"\"b:c.tar\",rewrite-timestamp=true,oci-mediatypes=true",
    ] {
        assert!(build(&podman).iter().any(|other| other == word), "{podman:?} has no {word}");
    }
}

#[test]
fn a_dockerfile_and_its_ignore_file_reach_buildkit() {
    let here = |ignore: Option<&str>| Dockerfile {
        path: "/d/My,Dockerfile".into(),
        ignore: ignore.map(str::to_owned),
        local: true,
    };
    let there = Dockerfile { path: "sub/D".into(), ignore: None, local: false };
    let remote = |f: &mut Builder| f.context = "git@example.org:r".into();
    let mount = "--mount=type=bind,\"src=/d/My,Dockerfile\",dst=/tmp/dockerfile/Dockerfile,ro=true";
    let ignored = "--mount=type=bind,src=/d/I,dst=/tmp/dockerfile/Dockerfile.dockerignore,ro=true";
    let (local, root) = ("--local=dockerfile=/tmp/dockerfile", "--local=dockerfile=/tmp/work");
    let key = "--opt=dockerfilekey=dockerfile";
    for (dockerfile, far, added, removed) in [
        (here(None), false, &[mount, local][..], &[root][..]),
        (here(Some("/d/I")), false, &[mount, ignored, local], &[root]),
        (here(None), true, &[mount, local, key], &[]),
        (there.clone(), true, &["--opt=filename=sub/D"], &[]),
    ] {
        let request = request("podman", |f| {
            if far {
                remote(f)
            }
        })
        .unwrap();
        let with = plan(&request, &Files { dockerfile: Some(dockerfile), ..files() });
        let without = plan(&request, &files());
        let [with, without] =
            [&with, &without].map(|plan| build(plan).iter().map(String::as_str).collect::<BTreeSet<_>>());
        assert_eq!(&with - &without, set(added));
        assert_eq!(&without - &with, set(removed));
    }
    for (dockerfile, word) in [(here(None), "--file=/d/My,Dockerfile"), (there, "--file=sub/D")] {
        let files = Files { dockerfile: Some(dockerfile), ..files() };
        let plan = plan(&request("docker", remote).unwrap(), &files);
        assert!(build(&plan).iter().any(|other| other == word), "{plan:?}");
    }
}

#[test]
fn known_buildkits_are_told_what_they_do_anyway() {
    for (image, exporter, field) in [
        (Some("v0.19.0"), Exporter::Docker, Some("oci-mediatypes=false")),
        (Some("v0.19.0"), Exporter::Oci, Some("oci-mediatypes=true")),
        (Some("v0.31.0"), Exporter::Docker, Some("oci-mediatypes=true")),
        (None, Exporter::Docker, Some("oci-mediatypes=true")),
        (Some(V31), Exporter::Docker, Some("oci-mediatypes=true")),
        (Some("moby/buildkit:v0.31.0"), Exporter::Docker, None),
    ] {
        for runtime in ["docker", "podman"] {
            let plan = planned(runtime, |f| {
                f.buildkit_image = image.map(str::to_owned);
                f.exporter = Some(exporter);
            });
            let output = build(&plan).iter().find(|word| word.starts_with("--output=")).unwrap();
            let told = output.split(',').find(|field| field.starts_with("oci-mediatypes"));
            assert_eq!(told, field, "{image:?} {exporter:?} {runtime}");
        }
    }
}

#[test]
fn what_is_not_pinned_draws_a_warning() {
    for (image, builder, annotation, hint) in [
        (Some("moby/buildkit:latest"), None, None, Some("has no digest")),
        (None, Some("mine"), None, Some("not pinned")),
        (None, None, Some("org.Example=x"), None),
        (Some("a/b@sha256:00"), None, None, None),
    ] {
        let plan = planned("docker", |f| {
            f.buildkit_image = image.map(str::to_owned);
            f.builder = builder.map(str::to_owned);
            f.annotations = annotation.map(str::to_owned).into_iter().collect();
        });
        match hint {
            None => assert!(plan.warnings.is_empty(), "{:?}", plan.warnings),
            Some(hint) => {
                assert!(plan.warnings.iter().any(|line| line.contains(hint)), "{:?}", plan.warnings);
            }
        }
    }
    let podman = planned("podman", |f| f.annotations = vec!["org.Example=x".into()]);
    assert!(podman.warnings[0].contains("lower case"), "{:?}", podman.warnings);
}
