//! The programs of `examples`, as somebody who tries the library out would run them.

use std::{ffi::OsStr, process::Command};

use super::{
    build::fake::Fake,
    support::{Ran, fixtures},
};

/// Runs an example, which cargo has built with the tests or builds now.
fn example<S: AsRef<OsStr>>(name: &str, args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["run", "--quiet", "--offline", "--example", name]);
    command.arg("--").args(args);
    command
}

fn ran(mut command: Command) -> Ran {
    Ran::of(command.output().unwrap())
}

/// The configuration's digest, by an independent reader (fixtures/good/EXPECT.tsv).
const TINY_CONFIG: &str = "sha256:0d12b6846fe3";

#[test]
fn verify() {
    let (good, bad) = (fixtures("good/tiny-bk-docker-rw0.tar"), fixtures("bad/01a-flip-layer-mid.tar"));
    let found = ran(example("verify", [&good, &bad]));
    assert_eq!(found.code, Some(1), "{}", found.stderr);
    assert!(found.stdout.starts_with(&format!("PASS {}\nFAIL ", good.display())), "{}", found.stdout);
    assert!(found.stdout.contains("error[blob.digest]"), "{}", found.stdout);
    assert_eq!(ran(example("verify", [&good])).code, Some(0));
}

#[test]
fn analyze() {
    let known = ran(example("analyze", [fixtures("good/tiny-bk-docker-rw0.tar")]));
    assert_eq!(known.code, Some(0), "{}", known.stderr);
    let config = known.stdout.lines().find(|line| line.trim_start().starts_with("config")).unwrap();
    assert!(config.contains(TINY_CONFIG), "{}", known.stdout);
}

#[test]
fn normalize_and_diff() {
    let folder = tempfile::tempdir().unwrap();
    let pair = ["1", "2"].map(|number| fixtures(&format!("pairs/tiny-plain-{number}.tar")));
    let differs = ran(example("diff", &pair));
    assert!(differs.stdout.contains("layer.mtime") && differs.stdout.contains("level clamp"), "{differs:?}");
    let normal = [("1", &pair[0]), ("2", &pair[1])].map(|(name, input)| {
        let output = folder.path().join(name);
        let ran = ran(example("normalize", [input, &output]));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        output
    });
    assert_eq!(std::fs::read(&normal[0]).unwrap(), std::fs::read(&normal[1]).unwrap());
    assert!(ran(example("diff", &normal)).stdout.starts_with("identical-bytes\n"));
    // As README says: what BuildKit makes with rewrite-timestamp=true.
    assert!(ran(example("analyze", [&normal[0]])).stdout.contains(TINY_CONFIG));
}

#[test]
fn build() {
    let fake = Fake::new("success");
    std::fs::copy(fixtures("good/tiny-bk-docker-rw0.tar"), fake.path("fixture.tar")).unwrap();
    let output = fake.path("out/image.tar");
    let mut command = example("build", [&fake.path("context"), &output]);
    let path = std::env::var_os("PATH").unwrap();
    let path = [fake.path("bin")].into_iter().chain(std::env::split_paths(&path));
    command.env("PATH", std::env::join_paths(path).unwrap()).env("REPRO_RUNTIME", "docker");
    let built = ran(command);
    assert_eq!(built.code, Some(0), "{}", built.stderr);
    assert!(built.stdout.ends_with(&format!("{} verified\n", output.display())), "{}", built.stdout);
    assert!(
        fake.log().iter().any(|line| line.contains("--build-arg=SOURCE_DATE_EPOCH=0")),
        "{:?}",
        fake.log()
    );
}
