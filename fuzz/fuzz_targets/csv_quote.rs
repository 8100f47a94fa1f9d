//! Comma-separated options: whatever a build is asked for, another CSV reader finds in the command line the fields that
//! were meant, one each, and none that was not.
#![no_main]

use arbitrary::{Arbitrary, Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use repro_build::{
    build::{BuildRequest, Builder, Dockerfile, Environment, Files, plan},
    error,
};

/// A machine on which every program is there, and `/work` is the only directory.
struct Machine;

impl Environment for Machine {
    fn var(&self, _: &str) -> error::Result<Option<String>> {
        Ok(None)
    }

    fn has_program(&self, _: &str) -> bool {
        true
    }

    fn is_dir(&self, path: &str) -> bool {
        path.starts_with("/work")
    }

    fn absolute(&self, path: &str) -> error::Result<String> {
        Ok(if path.starts_with('/') { path.to_owned() } else { format!("/{path}") })
    }

    fn file(&self, path: &str) -> error::Result<String> {
        Ok(path.to_owned())
    }

    fn terminal(&self) -> bool {
        false
    }
}

#[derive(Arbitrary, Debug)]
struct Typed {
    podman: bool,
    output: String,
    context: String,
    file: Option<String>,
    tags: Vec<String>,
    key: String,
    value: String,
}

/// The fields of an option's value, which must be one record.
fn fields(argv: &[String], option: &str) -> Vec<Vec<String>> {
    let values = argv.iter().filter_map(|word| word.strip_prefix(option)?.strip_prefix('='));
    let read = |value: &str| {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(value.as_bytes());
        let records = reader.records().collect::<std::result::Result<Vec<_>, _>>().expect("it is CSV");
        let [record] = &records[..] else { panic!("{} records in {value:?}", records.len()) };
        record.iter().map(String::from).collect()
    };
    values.map(read).collect()
}

fn case(u: &mut Unstructured) -> Result<()> {
    let typed = Typed::arbitrary(u)?;
    let annotation = format!("{}={}", typed.key, typed.value);
    let flags = Builder {
        runtime: Some(if typed.podman { "podman" } else { "docker" }.into()),
        source_date_epoch: Some("0".into()),
        output: Some(typed.output),
        context: format!("/work{}", typed.context),
        file: typed.file,
        tags: typed.tags,
        annotations: vec![annotation.clone()],
        ..Builder::default()
    };
    let Ok(request) = BuildRequest::resolve(&flags, &Machine) else { return Ok(()) };
    let dockerfile = request.file.clone().map(|path| Dockerfile { path, ignore: None, local: true });
    let files = Files { output: request.output.clone(), dockerfile, container: "x".into() };
    let plan = plan(&request, &files);
    let argv = &plan.commands.last().expect("a command").argv;
    let output = fields(argv, "--output");
    let [output] = &output[..] else { panic!("one --output in {argv:?}") };
    let (folder, name) = request.output.rsplit_once('/').expect("an absolute path");
    let (dest, mut meant) = if typed.podman {
        let (key, value) = annotation.split_once('=').expect("KEY=VALUE");
        let mut more = match key.split_once(':') {
            Some((types, key)) => {
                types.split(',').map(|of| format!("annotation-{of}.{key}={value}")).collect()
            }
            None => vec![format!("annotation.{key}={value}")],
        };
        if !request.tags.is_empty() {
            more.insert(0, format!("name={}", request.tags.join(",")));
        }
        (format!("/tmp/image/{name}"), more)
    } else {
        (request.output.clone(), Vec::new())
    };
    let mut all = vec!["type=docker".into(), format!("dest={dest}"), "rewrite-timestamp=true".into()];
    all.push("oci-mediatypes=true".into());
    all.append(&mut meant);
    assert_eq!(*output, all);
    let folder = if folder.is_empty() { "/" } else { folder };
    let mut mounts: Vec<Vec<String>> = Vec::new();
    if typed.podman {
        let mount = |fields: &[&str]| fields.iter().map(|field| String::from(*field)).collect();
        mounts.push(mount(&["type=volume", "src=buildkit_cache", "dst=/tmp/cache"]));
        mounts.push(mount(&["type=bind", &format!("src={folder}"), "dst=/tmp/image"]));
        let context = format!("src={}", request.context.as_str());
        mounts.push(mount(&["type=bind", &context, "dst=/tmp/work", "ro=true"]));
        if let Some(file) = &request.file {
            let file = format!("src={file}");
            mounts.push(mount(&["type=bind", &file, "dst=/tmp/dockerfile/Dockerfile", "ro=true"]));
        }
    }
    assert_eq!(fields(argv, "--mount"), mounts);
    // Go's encoding/csv takes a carriage return before a newline away, go-csvvalue, which is newer, does not.
    assert!(argv.iter().all(|word| !word.contains("\r\n")), "{argv:?}");
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    let _ = case(&mut Unstructured::new(data));
});
