//! The examples for engines that run many machines: each shard as its engine would run it, then the merge, against one run
//! over everything.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use saphyr::{LoadableYamlNode as _, Yaml};

use super::{
    scale::archive,
    support::{Ran, run, tool},
};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/scale").join(name)
}

fn yaml(name: &str) -> Yaml<'static> {
    let text: &'static str = fs::read_to_string(example(name)).unwrap().leak();
    Yaml::load_from_str(text).unwrap().remove(0)
}

fn text<'y>(yaml: &'y Yaml<'static>) -> &'y str {
    yaml.as_str().unwrap()
}

/// What the examples expect to find: images, good, bad and none at all; a list of them; a folder for reports.
struct World(tempfile::TempDir);

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        for name in ["reports", "bin"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let images = archive(13);
        fs::create_dir(folder.path().join("images")).unwrap();
        let mut list: Vec<String> = Vec::new();
        for entry in fs::read_dir(images.path()).unwrap() {
            let from = entry.unwrap().path();
            let to = folder.path().join("images").join(from.file_name().unwrap());
            fs::copy(&from, &to).unwrap();
            list.push(to.to_str().unwrap().to_owned());
        }
        list.sort();
        fs::write(folder.path().join("list.txt"), list.join("\n")).unwrap();
        World(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A command in this world, with the program on its PATH.
    fn command(&self, shell: &[&str], script: &str) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_repro-build")).parent().unwrap().to_owned();
        let own = std::env::var_os("PATH").unwrap();
        let path: Vec<PathBuf> =
            [self.path("bin"), program].into_iter().chain(std::env::split_paths(&own)).collect();
        let mut command = Command::new(shell[0]);
        command.args(&shell[1..]).arg(script).current_dir(self.0.path());
        command.env("PATH", std::env::join_paths(path).unwrap()).env("HOME", self.0.path());
        command
    }

    /// Runs a shard, which the engine must take for done.
    #[track_caller]
    fn shard(&self, command: &mut Command) {
        let ran = Ran::of(command.output().unwrap());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{}", ran.stderr);
    }

    /// Every report there is, by name.
    fn reports(&self) -> Vec<OsString> {
        let mut files: Vec<OsString> =
            fs::read_dir(self.path("reports")).unwrap().map(|entry| entry.unwrap().path().into()).collect();
        files.sort();
        files
    }

    /// What one run over the whole list comes to: bad images and inputs that are none.
    fn whole(&self) -> Ran {
        let whole = run(["verify".as_ref(), "--from-file".as_ref(), self.path("list.txt").as_os_str()]);
        assert_eq!(whole.code, Some(2));
        whole
    }

    #[track_caller]
    fn merged_is_whole(&self, shards: usize) {
        assert_eq!(self.reports().len(), shards);
        let merged = run([OsString::from("merge")].into_iter().chain(self.reports()));
        assert_eq!(merged, self.whole());
    }
}

#[test]
fn kubernetes() {
    let (world, job) = (World::new(), yaml("kubernetes-job.yaml"));
    let container = &job["spec"]["template"]["spec"]["containers"][0];
    let shell: Vec<&str> = container["command"].as_vec().unwrap().iter().map(text).collect();
    let script = text(&container["args"][0]).replace("/archive/", &format!("{}/", world.0.path().display()));
    let pods = usize::try_from(job["spec"]["completions"].as_integer().unwrap()).unwrap();
    for index in 0..pods {
        let mut command = world.command(&shell, &script);
        world.shard(
            command.env("JOB_COMPLETION_INDEX", index.to_string()).stderr(std::process::Stdio::null()),
        );
    }
    world.merged_is_whole(pods);
}

#[test]
fn argo() {
    let (world, workflow) = (World::new(), yaml("argo-workflow.yaml"));
    let shards = text(&workflow["spec"]["arguments"]["parameters"][0]["value"]).to_owned();
    let script = |template: &str, number: &str| {
        let templates = workflow["spec"]["templates"].as_vec().unwrap();
        let template = templates.iter().find(|known| known["name"].as_str() == Some(template)).unwrap();
        let mut script = text(&template["container"]["args"][0]).to_owned();
        for (variable, value) in [
            ("{{inputs.parameters.number}}", number),
            ("{{workflow.parameters.shards}}", &shards),
            ("{{workflow.uid}}", "a-uid"),
            ("/archive/", &format!("{}/", world.0.path().display())),
        ] {
            script = script.replace(variable, value);
        }
        assert!(!script.contains("{{"), "{script}");
        script
    };
    for number in 1..=shards.parse().unwrap() {
        world.shard(&mut world.command(&["/bin/sh", "-c"], &script("verify", &number.to_string())));
    }
    let merged = Ran::of(world.command(&["/bin/sh", "-c"], &script("merge", "")).output().unwrap());
    assert_eq!(merged, world.whole());
    assert!(fs::read_to_string(world.path("reports/a-uid.xml")).unwrap().contains("<testsuites"));
}

#[test]
fn github() {
    let Some(bash) = tool("bash") else { return };
    let (world, workflow) = (World::new(), yaml("github-matrix.yml"));
    let step = |job: &str, name: &str| {
        let steps = workflow["jobs"][job]["steps"].as_vec().unwrap();
        let named =
            |step: &&Yaml<'static>| step.contains_mapping_key("name") && step["name"].as_str() == Some(name);
        let step = steps.iter().find(named).unwrap();
        text(&step["run"]).to_owned()
    };
    // As a runner does it.
    let shell = [bash.path().to_str().unwrap(), "--noprofile", "--norc", "-eo", "pipefail", "-c"];
    let shards = workflow["jobs"]["shard"]["strategy"]["matrix"]["shard"].as_vec().unwrap().len();
    fs::create_dir(world.path("shards")).unwrap();
    for index in 0..shards {
        let mut command = world.command(&shell, &step("shard", "verify this shard"));
        command.env("REPRO_SHARD_INDEX", index.to_string()).env("REPRO_SHARD_TOTAL", shards.to_string());
        world.shard(&mut command);
        let report = format!("{index}.ndjson");
        fs::rename(world.path(&report), world.path("shards").join(&report)).unwrap();
    }
    let mut command = world.command(&shell, &step("merge", "merge"));
    let merged = Ran::of(command.env("GITHUB_STEP_SUMMARY", world.path("summary")).output().unwrap());
    let mut command = world.command(&shell, "repro-build verify --format github images/");
    let whole = Ran::of(command.output().unwrap());
    // Two of the files are no tar archives.
    assert_eq!((merged, Some(2)), (whole.clone(), whole.code));
    for (file, holds) in [("summary", "|"), ("findings.sarif", "\"2.1.0\""), ("tests.xml", "<testsuites")] {
        assert!(fs::read_to_string(world.path(file)).unwrap().contains(holds), "{file}");
    }
}

#[test]
fn slurm() {
    let Some(bash) = tool("bash") else { return };
    let world = World::new();
    let script = fs::read_to_string(example("slurm-array.sh")).unwrap();
    let array = script.lines().find_map(|line| line.strip_prefix("#SBATCH --array=1-")).unwrap();
    let tasks: usize = array.parse().unwrap();
    let srun = world.path("bin/srun");
    fs::write(&srun, "#!/bin/sh\nexec \"$@\"\n").unwrap();
    fs::set_permissions(&srun, fs::Permissions::from_mode(0o755)).unwrap();
    for task in 1..=tasks {
        let mut command =
            world.command(&[bash.path().to_str().unwrap()], example("slurm-array.sh").to_str().unwrap());
        command.args([world.path("list.txt"), world.path("reports")]);
        command.env("SLURM_ARRAY_TASK_ID", task.to_string()).env("SLURM_ARRAY_TASK_MIN", "1");
        world.shard(command.env("SLURM_ARRAY_TASK_COUNT", tasks.to_string()));
    }
    world.merged_is_whole(tasks);
}

#[test]
fn gnu_parallel() {
    let (Some(_), Some(bash)) = (tool("parallel"), tool("bash")) else { return };
    let world = World::new();
    let mut command =
        world.command(&[bash.path().to_str().unwrap()], example("parallel.sh").to_str().unwrap());
    let folder = world.path("somebody's images");
    fs::rename(world.path("images"), &folder).unwrap();
    let ran = Ran::of(command.arg(&folder).arg("4").output().unwrap());
    let whole = run(["verify".as_ref(), folder.as_os_str()]);
    assert_eq!((ran.code, ran.stdout), (Some(2), whole.stdout), "{}", ran.stderr);
}

#[test]
fn the_scripts_are_clean() {
    let Some(shellcheck) = tool("shellcheck") else { return };
    let scripts = ["parallel.sh", "slurm-array.sh"].map(example);
    let files = fs::read_dir(example("")).unwrap().map(|entry| entry.unwrap().path());
    assert_eq!(files.filter(|path| path.extension().is_some_and(|e| e == "sh")).count(), scripts.len());
    shellcheck.run(&scripts);
}

#[test]
fn the_yaml_is_clean() {
    let Some(yamllint) = tool("yamllint") else { return };
    let files = ["kubernetes-job.yaml", "argo-workflow.yaml", "github-matrix.yml"].map(example);
    let rules = "{extends: default, rules: {line-length: {max: 140}, document-start: disable, truthy: {check-keys: false}}}";
    yamllint.run([&["--strict".into(), "-d".into(), rules.into()], &files[..]].concat());
}
