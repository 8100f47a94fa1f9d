//! Help, version, completions and manual pages.

use super::support::{run, tool};

/// Every command that help shows, by clap's own list.
fn commands() -> Vec<String> {
    let help = run(["--help"]).stdout;
    let list = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    let names = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .filter(|name| name != "help")
        .collect()
}

#[test]
fn help_tells_exit_codes_and_gives_examples() {
    let help = run(["--help"]).stdout;
    for needed in ["Exit codes:", "130", "Examples:", "completions bash", "man ~/"] {
        assert!(help.contains(needed), "{needed}");
    }
    assert!(commands().len() >= 4, "{:?}", commands());
    for command in commands() {
        let help = run([command.as_str(), "--help"]).stdout;
        assert!(help.contains("Examples:") && help.contains(&format!("repro-build {command}")), "{command}");
    }
    // More than the line in the list of commands.
    assert!(run(["verify", "--help"]).stdout.contains("One bad input does not stop the others."));
}

#[test]
fn the_long_version_names_what_bytes_depend_on() {
    let version = run(["--version"]).stdout;
    for needed in [env!("CARGO_PKG_VERSION"), "zlib-rs 0.6.8", "libzstd 1.", "repro-build.report/1"] {
        assert!(version.contains(needed), "{needed} in {version}");
    }
    for pin in repro_build::build::PINS {
        assert!(version.contains(pin.image), "{} in {version}", pin.image);
    }
    let default = version.lines().find(|line| line.ends_with("(default)")).unwrap();
    assert!(default.contains(repro_build::build::DEFAULT_PIN.image), "{default}");
    assert_eq!(run(["-V"]).stdout, format!("repro-build {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_parse_and_know_every_command() {
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute"), ("powershell", "")] {
        let script = run(["completions", shell]);
        assert_eq!(script.code, Some(0));
        for command in commands() {
            assert!(script.stdout.contains(&command), "{shell} {command}");
        }
        let Some(program) = Some(check).filter(|check| !check.is_empty()).and_then(|_| optional(shell))
        else {
            continue;
        };
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &script.stdout).unwrap();
        program.run([check.as_ref(), file.path().as_os_str()]);
    }
}

#[test]
fn bash_completes_the_arguments_of_every_command() {
    let Some(bash) = tool("bash") else { return };
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), run(["completions", "bash"]).stdout).unwrap();
    let complete = |words: &[&str]| {
        // As bash calls what `complete -F` names.
        let script = r#"source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
            function=$(complete -p repro-build); function=${function#*-F }; function=${function%% *}
            "$function" repro-build "${@: -1}" "${@: -2:1}"; echo "${COMPREPLY[@]}""#;
        let args = ["-c", script, "bash", file.path().to_str().unwrap(), "repro-build"];
        bash.run([&args[..], words].concat())
    };
    assert_eq!(complete(&["ver"]), "verify\n");
    assert_eq!(complete(&["verify", "--fail"]), "--fail-fast\n");
    for (option, values) in [
        (["ls", "--format"], "text tar-v raw mtree json ndjson"),
        (["diff", "--format"], "text json html"),
        (["diff", "--level"], "archive clamp canonical sorted"),
        (["diff", "--layer-match"], "content position"),
        (["digest", "--rung"], "archive index manifest config layer diff-id chain-id"),
        (["build", "--normalize"], "archive clamp canonical sorted"),
    ] {
        assert_eq!(complete(&[option[0], option[1], ""]), format!("{values}\n"), "{option:?}");
    }
    for command in commands() {
        assert_eq!(complete(&[&command, "--hel"]), "--help\n", "{command}");
    }
}

/// A shell that CI need not have.
fn optional(name: &str) -> Option<super::support::Tool> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file()).then(|| tool(name))?
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(["man".as_ref(), folder.path().as_os_str()]).code, Some(0));
    for name in
        commands().iter().map(|command| format!("repro-build-{command}.1")).chain(["repro-build.1".into()])
    {
        let page = std::fs::read_to_string(folder.path().join(&name)).unwrap_or_default();
        assert!(page.contains(".TH ") && page.contains(".SH OPTIONS"), "{name}");
    }
}

#[test]
fn a_slip_of_the_pen_gets_a_hint() {
    let ran = run(["verfy", "x"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("'verify'"), "{}", ran.stderr);
    let ran = run(["verify", "--format", "jsn", "x"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("'json'"), "{}", ran.stderr);
}
