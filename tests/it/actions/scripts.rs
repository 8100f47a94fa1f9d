//! What the scripts do with input that is in order, or merely wrong.

use std::fs;

use super::{definitions::root, step::Runner};

const BUILD: &[(&str, &str)] = &[
    ("EPOCH_SECONDS", "1735689600"),
    ("TIMESTAMP", ""),
    ("BUILDKIT_IMAGE", "moby/buildkit:v1@sha256:00"),
    ("PLATFORMS", ""),
    ("OUTPUTS", ""),
    ("BUILD_ARGS", ""),
    ("PUSH", "false"),
    ("CACHE", "true"),
    ("NO_CACHE", "false"),
    ("PULL", "false"),
    ("SBOM", "false"),
    ("NO_SETUP_BUILDX", "false"),
];

const VERIFY: &[(&str, &str)] = &[
    ("EXPECTED_DIGEST", "sha256:abababababababababababababababababababababababababababababababab"),
    ("TARGET_IMAGE", ""),
    ("FILE", ""),
    ("CONTEXT", "."),
    ("PLATFORM", "linux/amd64"),
    ("BUILDKIT_IMAGE", ""),
    ("RUNTIME", "podman"),
    ("EPOCH_SECONDS", "1735689600"),
    ("TIMESTAMP", ""),
    ("BUILD_ARGS", ""),
    ("ANNOTATIONS", ""),
    ("OUTPUT", ""),
    ("TAGS", ""),
];

fn with<'a>(base: &[(&'a str, &'a str)], changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    base.iter().chain(changes).copied().collect()
}

#[test]
fn build_outputs_are_made_reproducible() {
    for (changes, outputs) in [
        (&[][..], "type=docker,rewrite-timestamp=true"),
        (&[("PUSH", "true")], "type=registry,rewrite-timestamp=true"),
        (
            &[("OUTPUTS", "  type=oci,dest=a b.tar\n\n type=image,name=x"), ("PUSH", "true")],
            "type=oci,dest=a b.tar,rewrite-timestamp=true\ntype=image,name=x,push=true,rewrite-timestamp=true",
        ),
        (
            &[("OUTPUTS", "type=oci,dest=a.tar"), ("PUSH", "true")],
            "type=oci,dest=a.tar,rewrite-timestamp=true\ntype=registry,rewrite-timestamp=true",
        ),
        (&[("OUTPUTS", "type=local,dest=out")], "type=local,dest=out"),
        (
            &[("OUTPUTS", "\"type=oci\",\"dest=a,b\",rewrite-timestamp=true")],
            "\"type=oci\",\"dest=a,b\",rewrite-timestamp=true",
        ),
        // What stands in a quoted value is no key.
        (
            &[("OUTPUTS", "\"dest=a,type=local,rewrite-timestamp=true\",type=oci")],
            "\"dest=a,type=local,rewrite-timestamp=true\",type=oci,rewrite-timestamp=true",
        ),
    ] {
        let ran = Runner::new().script("action/build-inputs.sh", &with(BUILD, changes));
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(ran.outputs["outputs"], outputs);
        assert_eq!(ran.outputs["epoch"], "1735689600");
        assert_eq!(ran.outputs["buildkit_image"], "moby/buildkit:v1@sha256:00");
    }
}

#[test]
fn the_time_comes_from_either_input() {
    // date -u -d TIMESTAMP +%s
    for (timestamp, seconds) in [
        ("2025-01-01", "1735689600"),
        ("2025-01-01T00:00:00Z", "1735689600"),
        ("2025-01-01T12:30:00.5+02:00", "1735727400"),
    ] {
        let changes = [("EPOCH_SECONDS", ""), ("TIMESTAMP", timestamp)];
        let ran = Runner::new().script("action/build-inputs.sh", &with(BUILD, &changes));
        assert_eq!(ran.outputs.get("epoch").map(String::as_str), Some(seconds), "{ran:?}");
    }
}

#[test]
fn wrong_build_inputs_end_the_step_with_a_reason() {
    for (changes, reason) in [
        (&[("EPOCH_SECONDS", "")][..], "set source_date_epoch or timestamp"),
        (&[("TIMESTAMP", "2025-01-01")], "exclude each other"),
        (&[("EPOCH_SECONDS", "-1")], "no number of seconds"),
        (&[("EPOCH_SECONDS", ""), ("TIMESTAMP", "yesterday")], "is not like"),
        (&[("EPOCH_SECONDS", ""), ("TIMESTAMP", "2025-02-30")], "is no date"),
        (&[("EPOCH_SECONDS", ""), ("TIMESTAMP", "1969-12-31")], "before 1970"),
        (&[("PUSH", "yes")], "push: 'yes' is not true or false"),
        (&[("NO_CACHE", "")], "no-cache: '' is not true or false"),
        (&[("BUILDKIT_IMAGE", "a b")], "no image reference"),
        (&[("BUILDKIT_IMAGE", "")], "leave the input out"),
        (&[("BUILD_ARGS", "A=1\n SOURCE_DATE_EPOCH=0")], "SOURCE_DATE_EPOCH is set by"),
        (&[("BUILD_ARGS", "\"SOURCE_DATE_EPOCH=0\"")], "SOURCE_DATE_EPOCH is set by"),
        (&[("OUTPUTS", "./out")], "has no type="),
        (&[("OUTPUTS", "type=oci,rewrite-timestamp=false")], "not reproducible"),
        (&[("PLATFORMS", "linux/amd64,linux/arm64")], "several platforms"),
    ] {
        let ran = Runner::new().script("action/build-inputs.sh", &with(BUILD, changes));
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.log.contains(reason), "{ran:?}\nhas no {reason}");
        assert!(ran.outputs.is_empty(), "{ran:?}");
    }
}

/// Words of the call of repro-build with that subcommand, without the output's path.
fn call(calls: &[Vec<String>], subcommand: &str) -> Vec<String> {
    let call = calls.iter().find(|call| call[1] == subcommand).unwrap_or_else(|| panic!("{calls:?}"));
    call[2..].iter().filter(|word| !word.starts_with("--output=")).cloned().collect()
}

fn verify(runner: &Runner, changes: &[(&str, &str)]) -> super::step::Ran {
    let tool = runner.path("bin/repro-build");
    let tool = [("TOOL", tool.to_str().unwrap())];
    runner.says("repro-build.verify", "echo '{}'");
    runner.script("action/verify.sh", &with(&with(VERIFY, changes), &tool))
}

#[test]
fn an_image_that_is_reproduced_is_verified() {
    let runner = Runner::new();
    runner.says("repro-build.digest", "echo sha256:cd");
    let ran = verify(
        &runner,
        &[
            ("BUILD_ARGS", "A=1,2, B=3"),
            ("ANNOTATIONS", " k=v, w \n\nl=m"),
            ("TAGS", "a:1,b:2\nc:3"),
            ("FILE", "-f"),
            ("CONTEXT", "-c"),
            ("BUILDKIT_IMAGE", "v0.31.0"),
        ],
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    let expected = "--runtime=podman --source-date-epoch=1735689600 --platform=linux/amd64 --buildkit-image=v0.31.0 \
                    --file=-f --build-arg=A=1,2 --build-arg=B=3 --annotation=k=v,_w --annotation=l=m --tag=a:1 \
                    --tag=b:2 --tag=c:3 -- -c";
    let words: Vec<_> = expected.split(' ').map(|word| word.replace('_', " ")).collect();
    assert_eq!(call(&ran.calls, "build"), words);
    assert_eq!(ran.outputs["digest"], "sha256:cd");
    assert_eq!(ran.outputs["verified"], "true");
    assert_eq!(fs::read_to_string(&ran.outputs["report"]).unwrap(), "{}\n");
    assert!(ran.summary.contains("| built | `sha256:cd` |"), "{}", ran.summary);
    assert_eq!(fs::read_dir(runner.path("workspace")).unwrap().count(), 0);
}

#[test]
fn the_expected_digest_may_come_from_a_registry() {
    for image in ["ghcr.io/o/i:1", "docker://ghcr.io/o/i:1"] {
        let runner = Runner::new();
        runner.says("repro-build.digest", "echo sha256:ef");
        let ran = verify(&runner, &[("EXPECTED_DIGEST", ""), ("TARGET_IMAGE", image)]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(call(&ran.calls, "digest"), ["--platform=linux/amd64", "--", "docker://ghcr.io/o/i:1"]);
        assert!(call(&ran.calls, "verify").contains(&"--expect=sha256:ef".to_owned()), "{ran:?}");
    }
}

#[test]
fn a_second_use_in_one_job_does_not_take_the_first_ones_report_for_its_own() {
    let runner = Runner::new();
    let first = verify(&runner, &[]);
    runner.says("repro-build.build", "exit 2");
    let second = verify(&runner, &[]);
    assert_eq!((first.code, second.code), (0, 2), "{first:?} {second:?}");
    assert!(fs::metadata(&first.outputs["report"]).unwrap().len() > 0);
    assert!(!fs::exists(&second.outputs["report"]).unwrap(), "{second:?}");
    assert_eq!(second.outputs["digest"], "");
}

#[test]
fn a_build_or_a_verification_that_fails_fails_the_step() {
    for (subcommand, code) in [("build", 37), ("verify", 1)] {
        let runner = Runner::new();
        let tool = runner.path("bin/repro-build");
        runner.says(&format!("repro-build.{subcommand}"), &format!("exit {code}"));
        let ran = runner.script("action/verify.sh", &with(VERIFY, &[("TOOL", tool.to_str().unwrap())]));
        assert_eq!(ran.code, code, "{ran:?}");
        assert_eq!(ran.outputs["verified"], "false");
        assert!(ran.log.contains("::error::the image was not reproduced"), "{ran:?}");
    }
}

#[test]
fn wrong_verify_inputs_end_the_step_before_anything_is_built() {
    for (changes, reason) in [
        (&[("EXPECTED_DIGEST", "")][..], "set expected_digest or target_image"),
        (&[("EXPECTED_DIGEST", "sha256:12")], "no sha256 digest"),
        (&[("EXPECTED_DIGEST", ""), ("TARGET_IMAGE", "-x")], "no image reference"),
        (&[("RUNTIME", "lxc")], "not docker or podman"),
        (&[("PLATFORM", "linux/amd64,linux/arm64")], "not one platform"),
        (&[("CONTEXT", "")], "context is empty"),
        (&[("EPOCH_SECONDS", "")], "set source_date_epoch or timestamp"),
    ] {
        let ran = verify(&Runner::new(), changes);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.log.contains(reason), "{ran:?}\nhas no {reason}");
        assert!(!ran.calls.iter().any(|call| call[1] == "build"), "{ran:?}");
    }
}

#[test]
fn a_release_binary_is_installed_only_if_it_verifies() {
    let version = concat!("v", env!("CARGO_PKG_VERSION"));
    let uname = "case $1 in -s) echo Linux ;; -m) echo x86_64 ;; esac";
    // Writes the asset, or sums that fit or do not fit it.
    let curl = |sums: &str| {
        format!(
            "while [[ $1 != --output ]]; do shift; done\n\
             case $2 in\n*/SHA256SUMS) {sums} >\"$2\" ;;\n*) printf binary >\"$2\" ;;\nesac"
        )
    };
    let good =
        "printf '%s  repro-build-x86_64-unknown-linux-musl\\n' $(printf binary | sha256sum | cut -c1-64)";
    let bad = "printf '%064d  repro-build-x86_64-unknown-linux-musl\\n' 0";
    let other = "printf '%064d  something-else\\n' 0";
    for (reference, curl, gh, code, from_source) in [
        (version, curl(good), "", 0, false),
        (version, curl(bad), "", 1, false),
        (version, curl(other), "", 1, false),
        (version, curl(good), "exit 1", 1, false),
        (version, "exit 22".to_owned(), "", 0, true),
        ("main", curl(good), "", 0, true),
        ("", curl(good), "", 0, true),
    ] {
        let runner = Runner::new();
        runner.says("uname", uname);
        runner.says("curl", &curl);
        runner.says("gh", gh);
        let variables =
            [("ACTION_REF", reference), ("ACTION_REPOSITORY", "owner/repro-build"), ("GH_TOKEN", "t")];
        let ran = runner.script("action/install.sh", &variables);
        assert_eq!(ran.code, code, "{ran:?}");
        let cargo = ran.calls.iter().find(|call| call[0] == "cargo");
        assert_eq!(cargo.is_some(), from_source, "{ran:?}");
        if let Some(cargo) = cargo {
            let words: Vec<&str> = cargo[1..5].iter().map(String::as_str).collect();
            assert_eq!(words, ["install", "--quiet", "--locked", "--path"]);
        }
        let installed = runner.path("temp/repro-build/bin/repro-build");
        assert_eq!(installed.exists(), code == 0 && !from_source);
        assert_eq!(
            ran.outputs.get("tool").map(String::as_str),
            (code == 0).then(|| installed.to_str().unwrap())
        );
    }
}

#[test]
fn nightly_digests_must_agree_over_runtimes() {
    for (digests, code, log) in [
        (["a", "a", "a", "a"], 0, "2 images compared"),
        (["a", "b", "a", "a"], 1, "::error::D.arm.pinned: docker and podman"),
        (["a", "a", "b", "b"], 0, "::warning::D.arm: the latest BuildKit"),
        (["a", "a", "a", ""], 1, "no two digests for D.arm.latest"),
    ] {
        let runner = Runner::new();
        fs::create_dir(runner.path("temp/digests")).unwrap();
        for (name, digest) in
            ["pinned.docker", "pinned.podman", "latest.docker", "latest.podman"].iter().zip(digests)
        {
            fs::write(runner.path("temp/digests").join(format!("D.arm.{name}")), digest).unwrap();
        }
        let ran = runner.script("action/nightly-compare.sh", &[]);
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(ran.log.contains(log), "{ran:?}");
    }
}

#[test]
fn debian_packages_come_from_the_day_asked_for() {
    let keyring = "Signed-By: /usr/share/keyrings/debian-archive-keyring.pgp\n";
    for (epoch, snapshot) in [("1768176000", "20260112T000000Z"), ("", "20250101T000000Z")] {
        let runner = Runner::new();
        let image = runner.path("temp/root");
        fs::create_dir_all(image.join("etc/apt/sources.list.d")).unwrap();
        fs::write(image.join("etc/os-release"), "ID=debian\nVERSION_CODENAME=trixie\n").unwrap();
        let sources = image.join("etc/apt/sources.list.d/debian.sources");
        fs::write(&sources, keyring).unwrap();
        let day = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1735689600);
        fs::File::open(&sources).unwrap().set_modified(day).unwrap();
        let mut variables = vec![("ROOT", image.to_str().unwrap())];
        variables.extend(Some(("SOURCE_DATE_EPOCH", epoch)).filter(|_| !epoch.is_empty()));
        // Twice, as when an image is built on such an image.
        for _ in 0..2 {
            let ran = runner.run(
                &root(),
                &format!("sh '{}' sources", root().join("scripts/debian-snapshot.sh").display()),
                &variables
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect::<Vec<_>>(),
            );
            assert_eq!(ran.code, 0, "{ran:?}");
            let text = fs::read_to_string(&sources).unwrap();
            for line in [
                &format!("URIs: http://snapshot.debian.org/archive/debian/{snapshot}\n"),
                &format!("URIs: http://snapshot.debian.org/archive/debian-security/{snapshot}\n"),
                "Suites: trixie trixie-updates\n",
                "Suites: trixie-security\n",
                keyring,
            ] {
                assert!(text.contains(line), "{text}");
            }
        }
    }
}

#[test]
fn cleaning_leaves_nothing_that_differs_from_day_to_day() {
    let runner = Runner::new();
    let image = runner.path("temp/root");
    let gone = [
        "var/lib/apt/lists/x",
        "var/cache/apt/pkgcache.bin",
        "var/log/dpkg.log",
        "var/log/apt/history.log",
        "var/cache/ldconfig/aux-cache",
        "var/cache/debconf/config.dat-old",
        "var/lib/dpkg/status-old",
        "etc/shadow-",
        "etc/passwd-",
        "tmp/x",
        "var/tmp/y",
    ];
    let kept = ["var/lib/dpkg/status", "var/cache/debconf/config.dat", "etc/passwd"];
    for path in gone.iter().chain(&kept) {
        let path = image.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }
    fs::write(image.join("etc/machine-id"), "0123").unwrap();
    let shadow = "root:*:19000:0:99999:7:::\nnew:!:29999::::::\nnone:!::0:::::\n";
    fs::write(image.join("etc/shadow"), shadow).unwrap();
    let ran = runner.run(
        &root(),
        &format!("sh '{}' clean", root().join("scripts/debian-snapshot.sh").display()),
        &[
            ("ROOT".to_owned(), image.to_str().unwrap().to_owned()),
            ("SOURCE_DATE_EPOCH".to_owned(), "1735689600".to_owned()),
        ],
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    gone.iter().for_each(|path| assert!(!image.join(path).exists(), "{path}"));
    kept.iter().for_each(|path| assert!(image.join(path).exists(), "{path}"));
    assert!(image.join("var/log/apt").is_dir());
    assert_eq!(fs::read_to_string(image.join("etc/machine-id")).unwrap(), "");
    // 1735689600 / 86400 = 20089
    let clamped = shadow.replace("29999", "20089");
    assert_eq!(fs::read_to_string(image.join("etc/shadow")).unwrap(), clamped);
}

#[test]
fn the_debian_images_differ_in_their_base_only() {
    let read = |name: &str| fs::read_to_string(root().join(name)).unwrap();
    let steps = |text: &str| {
        text.lines().skip_while(|line| !line.starts_with("ARG ")).map(str::to_owned).collect::<Vec<_>>()
    };
    let (trixie, bookworm) = (read("Dockerfile.debian"), read("Dockerfile.debian-12"));
    assert_eq!(steps(&trixie), steps(&bookworm));
    for text in [trixie, bookworm] {
        let from = text.lines().find(|line| line.starts_with("FROM ")).unwrap();
        let (_, digest) = from.split_once('@').unwrap();
        repro_build::digest::Digest::parse(digest).unwrap();
    }
}
