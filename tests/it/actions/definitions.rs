//! Reads the YAML: nothing of an input inside a script, actions pinned by commit, inputs and outputs as promised.

use std::{fs, path::PathBuf};

use repro_build::build::DEFAULT_PIN;
use saphyr::{LoadableYamlNode as _, Yaml};

use crate::support::tool;

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// One YAML file of this repository.
pub struct Definition {
    pub path: PathBuf,
    pub yaml: Yaml<'static>,
}

impl Definition {
    pub fn read(path: &str) -> Definition {
        let path = root().join(path);
        let text: &'static str = fs::read_to_string(&path).unwrap().leak();
        Definition { path, yaml: Yaml::load_from_str(text).unwrap().remove(0) }
    }

    /// The composite action's steps.
    pub fn steps(&self) -> Vec<&Yaml<'static>> {
        self.yaml["runs"]["steps"].as_vec().unwrap().iter().collect()
    }
}

fn all() -> Vec<Definition> {
    let workflows = fs::read_dir(root().join(".github/workflows")).unwrap();
    let workflows = workflows.map(|entry| entry.unwrap().path().to_str().unwrap().to_owned());
    let files: Vec<Definition> = ["action.yml".to_owned(), "verify/action.yml".to_owned()]
        .into_iter()
        .chain(workflows)
        .map(|path| Definition::read(&path))
        .collect();
    assert_eq!(files.len(), 5);
    files
}

/// Every value that stands under `key`, at any depth.
fn values<'a>(yaml: &'a Yaml<'static>, key: &str, found: &mut Vec<&'a str>) {
    if let Some(map) = yaml.as_mapping() {
        for (name, value) in map {
            if name.as_str() == Some(key) {
                found.extend(value.as_str());
            }
            values(value, key, found);
        }
    }
    for value in yaml.as_vec().into_iter().flatten() {
        values(value, key, found);
    }
}

fn values_of<'a>(definition: &'a Definition, key: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    values(&definition.yaml, key, &mut found);
    found
}

#[test]
fn no_expression_stands_inside_a_script() {
    let mut scripts = 0;
    for definition in all() {
        for script in values_of(&definition, "run") {
            assert!(!script.contains("${{"), "{}: {script}", definition.path.display());
            scripts += 1;
        }
    }
    assert!(scripts >= 8, "{scripts}");
}

#[test]
fn every_action_is_pinned_by_commit() {
    let mut pinned = 0;
    for definition in all() {
        let text = fs::read_to_string(&definition.path).unwrap();
        for uses in values_of(&definition, "uses") {
            let (_, commit) = uses.split_once('@').unwrap();
            let hex = commit.len() == 40 && commit.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            assert!(hex, "{uses}");
            // The version beside it is what a person reads.
            assert!(text.contains(&format!("{uses} # v")), "{uses}");
            pinned += 1;
        }
    }
    assert!(pinned >= 10, "{pinned}");
}

#[test]
fn workflows_may_do_no_more_than_they_need() {
    for definition in all().iter().skip(2) {
        assert_eq!(
            definition.yaml["permissions"]["contents"].as_str(),
            Some("read"),
            "{}",
            definition.path.display()
        );
    }
}

#[test]
fn the_actions_take_and_give_what_is_promised() {
    let keys = |yaml: &Yaml<'_>| -> Vec<String> {
        yaml.as_mapping().unwrap().keys().map(|key| key.as_str().unwrap().to_owned()).collect()
    };
    let build = Definition::read("action.yml");
    let inputs = "tags file context platforms buildkit_image source_date_epoch timestamp push outputs annotations \
                  labels build-args cache cache-from cache-to cache-map secrets secret-files ssh target no-cache pull \
                  sbom no-setup-buildx";
    assert_eq!(keys(&build.yaml["inputs"]), inputs.split(' ').collect::<Vec<_>>());
    assert_eq!(keys(&build.yaml["outputs"]), ["imageid", "digest", "metadata"]);
    assert_eq!(build.yaml["inputs"]["buildkit_image"]["default"].as_str(), Some(DEFAULT_PIN.image));

    let verify = Definition::read("verify/action.yml");
    let inputs = "expected_digest target_image file context platforms buildkit_image runtime source_date_epoch \
                  timestamp build-args annotations output tags";
    assert_eq!(keys(&verify.yaml["inputs"]), inputs.split(' ').collect::<Vec<_>>());
    assert_eq!(keys(&verify.yaml["outputs"]), ["digest", "verified", "report"]);

    // An input that nothing reads would be ignored in silence.
    for definition in [&build, &verify] {
        let text = fs::read_to_string(&definition.path).unwrap();
        for input in keys(&definition.yaml["inputs"]) {
            let used = text.split("inputs.").skip(1).any(|rest| {
                let name = rest.split(|c: char| !(c.is_ascii_alphanumeric() || "_-".contains(c))).next();
                name == Some(input.as_str())
            });
            assert!(used, "{input} is read nowhere in {}", definition.path.display());
        }
    }
}

#[test]
fn the_scripts_lint_clean() {
    let Some(shellcheck) = tool("shellcheck") else { return };
    let mut command = shellcheck.command();
    command.current_dir(root()).arg("--external-sources");
    for folder in ["action", "scripts"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            command.arg(entry.unwrap().path());
        }
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
