//! What every command prints, in every format, as files in tests/golden: nobody changes what people see unawares.
//!
//! That the values are right is other tests' to say. REPRO_BLESS=1 writes the files anew.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const IMAGE: &str = "fixtures/good/tiny-bk-docker-rw0.tar";
const DOCKER: &str = "fixtures/good/tiny-docker20-save.tar";
const BAD: &str = "fixtures/bad/20a-views-disagree-config.tar";
const PAIR: [&str; 2] = ["fixtures/pairs/tiny-plain-1.tar", "fixtures/pairs/tiny-plain-2.tar"];

/// Name of the file, exit code, arguments.
fn cases() -> Vec<(String, i32, Vec<String>)> {
    let mut cases = Vec::new();
    let mut case = |name: &str, code: i32, args: &[&str]| {
        cases.push((name.to_owned(), code, args.iter().map(|arg| (*arg).to_owned()).collect()));
    };
    case("analyze", 0, &["analyze", IMAGE]);
    case("analyze-docker", 0, &["analyze", DOCKER]);
    case("analyze-full-files", 0, &["analyze", "--show-contents", "--files", IMAGE]);
    case("digest", 0, &["digest", IMAGE]);
    case("digest-layers", 0, &["digest", "--rung", "diff-id", IMAGE]);
    case("diff", 1, &["diff", PAIR[0], PAIR[1]]);
    case("normalize", 1, &["normalize", "--check", "--sde", "0", PAIR[0]]);
    case("ls-merged", 0, &["ls", "--merged", "--digest", IMAGE]);
    for format in repro_build::report::FORMATS {
        // A page of HTML is looked at in a browser (html.rs), and may change in its looks.
        if format.name != "html" {
            let name = format!("verify-{}", format.name);
            case(&name, 1, &["verify", "--format", format.name, IMAGE, BAD]);
        }
    }
    for (_, name, _) in repro_build::report::ListFormat::ALL {
        case(&format!("ls-{name}"), 0, &["ls", "--format", name, "--layer", "3", IMAGE]);
    }
    cases
}

#[test]
fn every_command_and_format_prints_what_it_did() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder: PathBuf = root.join("tests/golden");
    let bless = std::env::var_os("REPRO_BLESS").is_some();
    let mut wrong = Vec::new();
    for (name, code, args) in cases() {
        let output =
            Command::new(env!("CARGO_BIN_EXE_repro-build")).args(&args).current_dir(root).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        let file = folder.join(format!("{name}.txt"));
        if bless {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&file, &printed).unwrap();
        } else if fs::read_to_string(&file).ok().as_deref() != Some(&printed) {
            wrong.push(name);
        }
    }
    assert!(wrong.is_empty(), "not as in tests/golden: {wrong:?}; REPRO_BLESS=1 cargo test --test it golden");
}

#[test]
fn the_readme_shows_what_is_printed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let block = |before: &str| {
        let (_, rest) = readme.split_once(before).unwrap();
        rest.split_once("```").unwrap().0.to_owned()
    };
    let analysis = block("and after it:\n\n```text\n");
    let difference = block(&format!("$ repro-build diff {} {}\n", PAIR[0], PAIR[1]));
    for (args, shown) in [(vec!["analyze", IMAGE], analysis), (vec!["diff", PAIR[0], PAIR[1]], difference)] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_repro-build")).args(&args).current_dir(root).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(shown.lines().count() > 4 && printed.contains(&shown), "{printed}\ndoes not have\n{shown}");
    }
}
