//! Every script step, with hostile values in every input.

use std::{fs, path::Path};

use super::{
    definitions::Definition,
    step::{Ran, Runner},
};

/// Values made to run something, to become an option, or to write an output or a command of their own.
const HOSTILE: &[&str] = &[
    "$(touch PWNED)`touch PWNED`${IFS}touch${IFS}PWNED a[$(touch PWNED)]",
    "\"; touch PWNED; echo \"'; touch PWNED; echo '",
    "; touch PWNED #\\",
    "a\nb=c\n::set-output name=b::c\n::stop-commands::x\nEOF\nb=c",
    "--help",
    "--output=PWNED",
    "1735689600\nb=c",
    "2025-01-01T00:00:00Z\nb=c",
    "2025-01-01$(touch PWNED)",
    "type=docker,dest=/dev/null\nb<<X\nc\nX",
    "type=oci,dest=$(touch PWNED)",
    "A=$(touch PWNED)\nB=`touch PWNED`",
    "* ? ~ {a,b} %n %0A",
    "true\nb=c",
    "",
];

/// The step's variables with values that it takes.
fn harmless(name: &str, runner: &Runner) -> String {
    match name {
        "EPOCH_SECONDS" => "1735689600".into(),
        "PUSH" | "CACHE" | "NO_CACHE" | "PULL" | "SBOM" | "NO_SETUP_BUILDX" => "false".into(),
        "BUILDKIT_IMAGE" => "moby/buildkit:v1@sha256:00".into(),
        "PLATFORM" => "linux/amd64".into(),
        "RUNTIME" => "docker".into(),
        "CONTEXT" => ".".into(),
        "EXPECTED_DIGEST" => "ab".repeat(32),
        "TOOL" => runner.path("bin/repro-build").to_str().unwrap().into(),
        _ => String::new(),
    }
}

fn check(runner: &Runner, allowed: &[&str], ran: &Ran, with: &str) {
    let left: Vec<_> = fs::read_dir(runner.path("workspace")).unwrap().collect();
    assert!(left.is_empty(), "{with}: in the workspace {left:?}");
    assert!(!runner.path("temp/PWNED").exists(), "{with}");
    for name in ran.outputs.keys() {
        assert!(allowed.contains(&name.as_str()), "{with}: output {name}");
    }
    for line in ran.log.lines().filter(|line| line.starts_with("::")) {
        let ours =
            ["::error::", "::warning::", "::stop-commands::x"].iter().any(|begin| line.starts_with(begin))
                || line.strip_prefix("::x").is_some_and(|rest| rest.len() == 34 && rest.ends_with("::"));
        assert!(ours, "{with}: the runner would read {line:?} as a command");
    }
    // Whatever came from an input is the value of an option, or stands behind `--`.
    for call in ran.calls.iter().filter(|call| call[0] == "repro-build") {
        let options = call[2..].iter().take_while(|word| *word != "--");
        for word in options {
            let known = [
                "runtime",
                "source-date-epoch",
                "platform",
                "output",
                "buildkit-image",
                "file",
                "build-arg",
                "annotation",
                "tag",
                "sde",
                "expect",
                "format",
            ];
            let name = word.strip_prefix("--").and_then(|word| word.split_once('='));
            assert!(
                word == "--newer-base" || name.is_some_and(|(name, _)| known.contains(&name)),
                "{with}: {word:?} in {call:?}"
            );
        }
    }
}

#[test]
fn hostile_inputs_run_nothing_and_write_no_output_of_their_own() {
    let mut runs = 0;
    for (path, allowed) in [
        ("action.yml", &["epoch", "buildkit_image", "outputs"][..]),
        ("verify/action.yml", &["tool", "digest", "verified", "report"]),
    ] {
        let definition = Definition::read(path);
        let folder = definition.path.parent().unwrap().to_owned();
        for step in definition.steps() {
            let Some(script) = step.as_mapping_get("run").and_then(|run| run.as_str()) else { continue };
            let variables: Vec<(String, bool)> = step["env"]
                .as_mapping()
                .unwrap()
                .iter()
                .map(|(name, value)| {
                    (name.as_str().unwrap().to_owned(), value.as_str().unwrap().contains("inputs."))
                })
                .collect();
            for hostile in HOSTILE {
                for (variable, _) in variables.iter().filter(|(_, input)| *input) {
                    one(&folder, script, allowed, &variables, hostile, |name| name == variable);
                    runs += 1;
                }
                one(&folder, script, allowed, &variables, hostile, |_| true);
                runs += 1;
            }
        }
    }
    assert!(runs > HOSTILE.len() * 20, "{runs}");
}

fn one(
    folder: &Path,
    script: &str,
    allowed: &[&str],
    variables: &[(String, bool)],
    hostile: &str,
    is_hostile: impl Fn(&str) -> bool,
) {
    let runner = Runner::new();
    let values: Vec<(String, String)> = variables
        .iter()
        .map(|(name, input)| {
            let value = if *input && is_hostile(name) { hostile.to_owned() } else { harmless(name, &runner) };
            (name.clone(), value)
        })
        .collect();
    let ran = runner.run(folder, script, &values);
    check(&runner, allowed, &ran, &format!("{values:?} gave {ran:?}"));
}

#[test]
fn the_harness_notices_a_script_that_evaluates_its_input() {
    let caught = |script: &str, hostile: &str| {
        let runner = Runner::new();
        let ran = runner.run(Path::new("/"), script, &[("V".to_owned(), hostile.to_owned())]);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&runner, &["value"], &ran, "here")))
            .is_err()
    };
    assert!(caught("eval \"echo $V\"", "$(touch PWNED)"));
    assert!(caught("echo \"value=$V\" >>\"$GITHUB_OUTPUT\"", "a\nb=c"));
    assert!(caught("echo \"$V\"", "a\n::set-output name=b::c"));
    assert!(caught("repro-build build $V", "--help"));
    assert!(!caught("echo \"value=x\" >>\"$GITHUB_OUTPUT\"", "a\nb=c"));
}
