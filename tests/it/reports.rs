//! Every report format against its own rules: schemas, the programs that read it, and names that try to be more.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use serde_json::{Value, json};

use super::support::{Doc, Image, ImageBuilder, Layer, Member, fixtures, run, tool};

/// A file name that every format would have to quote.
const HOSTILE: &str = "a|<img src=x onerror=alert(1)>\n::error title=x::%0A`[l](u)`,\u{1b}[31m\u{202e}&\"'\\";

/// Good, bad and unreadable inputs.
fn inputs() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in ["good", "bad"] {
        let folder = std::fs::read_dir(fixtures(folder)).unwrap().map(|entry| entry.unwrap().path());
        files.extend(folder.filter(|path| path.extension().is_some_and(|extension| extension == "tar")));
    }
    files.sort();
    assert!(files.len() > 40);
    files
}

/// Reports all fixtures in one format.
fn report(format: &str) -> String {
    let args = ["verify", "--format", format].map(PathBuf::from).into_iter().chain(inputs());
    let ran = run(args);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    ran.stdout
}

/// An image with a hostile name in a layer that `content.forbidden` finds, under a hostile name of its own.
fn hostile() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(HOSTILE.replace('/', ""));
    let layer = Layer::new(&[Member::file(HOSTILE, "x")]);
    std::fs::write(&file, ImageBuilder::good().layers(vec![layer]).tar()).unwrap();
    std::fs::write(folder.path().join("repro-build.toml"), "[files]\nforbid = ['*']\n").unwrap();
    (folder, file)
}

fn report_hostile(format: &str) -> String {
    let (_folder, file) = hostile();
    let ran = run(["verify".as_ref(), "--format".as_ref(), format.as_ref(), file.as_os_str()]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    for hidden in ['\u{1b}', '\u{202e}'] {
        assert!(format == "sha256sum" || !ran.stdout.contains(hidden), "{format} lets {hidden:?} through");
    }
    ran.stdout
}

/// The published schema of all that is written as JSON.
fn published_schema() -> Validator {
    jsonschema::validator_for(&published()).unwrap()
}

fn published() -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/report-schema.json");
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

/// That part of it.
fn published_part(definition: &str) -> Validator {
    let mut schema = published();
    schema.as_object_mut().unwrap().remove("anyOf").unwrap();
    assert!(schema["$defs"].get(definition).is_some(), "{definition}");
    schema["$ref"] = json!(format!("#/$defs/{definition}"));
    jsonschema::validator_for(&schema).unwrap()
}

/// A value is of that part, and of the whole; without a member that every such value has, it is neither.
#[track_caller]
pub(super) fn assert_published(definition: &str, value: &Value, needed: &str) {
    assert_valid(&published_schema(), value);
    assert_valid(&published_part(definition), value);
    let mut wrong = value.clone();
    wrong.as_object_mut().unwrap().remove(needed).unwrap();
    assert!(!published_part(definition).is_valid(&wrong) && !published_schema().is_valid(&wrong), "{needed}");
}

#[test]
fn every_command_writes_json_of_the_published_schema() {
    let fixture = |name: &str| fixtures(name).to_str().unwrap().to_owned();
    let (a, b) = (fixture("pairs/tiny-plain-1.tar"), fixture("pairs/tiny-plain-2.tar"));
    let bad = fixture("bad/01a-flip-layer-mid.tar");
    for (a, b) in [(&a, &b), (&a, &bad), (&a, &a)] {
        for more in [&[][..], &["--merged"]] {
            let args = [&["diff", "--format", "json", a, b], more].concat();
            assert_published("DiffReport", &run(args).json(), "verdict");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.tar").to_str().unwrap().to_owned();
    for how in [&["--check"][..], &["--level", "canonical", "-o", &out]] {
        let args = [&["normalize", "--format", "json", "--sde", "0", &a], how].concat();
        assert_published("NormalizeReport", &run(args).json(), "changes");
    }
    for how in [&[][..], &["--digest"], &["--merged"]] {
        let args = |format: &'static str| [&["ls", "--format", format, &a], how].concat();
        let files = run(args("json")).json();
        assert_valid(&published_schema(), &files);
        let lines: Vec<Value> =
            run(args("ndjson")).stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(&lines, files.as_array().unwrap());
        lines.iter().for_each(|line| assert_published("ListedFile", line, "mode"));
    }
    for args in [&["analyze", "--format", "json", &a][..], &["verify", "--format", "json", &a, &bad]] {
        assert_published("Report", &run(args).json(), "summary");
    }
    let reports = folder.path().join("1.ndjson");
    std::fs::write(&reports, run(["verify", "--format", "ndjson", &a, &bad]).stdout).unwrap();
    let merged = run(["merge", "--format", "json", reports.to_str().unwrap()]).json();
    assert_published("Report", &merged, "inputs");
}

#[test]
fn the_answer_of_a_diff_says_no_more_than_its_causes() {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, builder: ImageBuilder| {
        let path = folder.path().join(file);
        std::fs::write(&path, builder.tar()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let plain = write("plain.tar", ImageBuilder::good());
    let ended = write("end.tar", ImageBuilder::good().text(Doc::Config(0), |text| text.push(b'\n')));
    let other = ImageBuilder::good().json(Doc::Config(0), |config| config["config"]["User"] = json!("x"));
    let other = write("other.tar", other);
    let answer = |args: &[&str]| run([&["diff"], args].concat()).stdout;
    assert!(answer(&[&plain, &ended]).starts_with("DIFFERENT  in how it was packed"));
    assert!(answer(&[&plain, &other]).starts_with("DIFFERENT  in content"));
    // One image, compressed by docker's and skopeo's gzip: for who asks for the image alone there is nothing to do.
    let good = |name: &str| fixtures("good").join(name).to_str().unwrap().to_owned();
    let (saved, copied) = (good("tiny-docker20-save.tar"), good("tiny-skopeo19-oci-archive.tar"));
    assert!(answer(&[&saved, &copied]).contains("\n      or compress both"));
    let same = answer(&["--level", "archive", &saved, &copied]);
    assert!(same.starts_with("SAME IMAGE") && !same.contains("\ndo "), "{same}");
}

#[test]
fn what_analyze_cannot_read_is_in_its_reports() {
    let folder = tempfile::tempdir().unwrap();
    let none = folder.path().join("none.tar");
    std::fs::write(&none, "nothing of an image").unwrap();
    for input in [none, folder.path().join("absent.tar")] {
        let file = folder.path().join("r.json");
        let ran = run(["analyze", "--report", &format!("json={}", file.display()), input.to_str().unwrap()]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
        let report: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        assert_published("Report", &report, "summary");
        assert_eq!(report["summary"]["unreadable"], 1);
        let told = report["inputs"][0]["error"].as_str().unwrap();
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
        let shown = run(["analyze", "--format", "json", input.to_str().unwrap()]);
        assert_eq!((shown.code, shown.json()), (Some(2), report));
    }
}

#[track_caller]
fn assert_valid(schema: &Validator, value: &Value) {
    let errors: Vec<String> =
        schema.iter_errors(value).map(|error| format!("{error} at {}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn json_is_of_the_published_schema() {
    let schema = published_schema();
    let value: Value = serde_json::from_str(&report("json")).unwrap();
    assert_valid(&schema, &value);
    assert_eq!(value["inputs"].as_array().unwrap().len(), inputs().len());
    let mut wrong = value;
    wrong["inputs"][0]["outcome"] = json!("maybe");
    assert!(!schema.is_valid(&wrong));
}

#[test]
fn every_line_of_ndjson_is_of_the_published_schema_and_says_what_json_says() {
    let schema = published_schema();
    let lines: Vec<Value> =
        report("ndjson").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.iter().for_each(|line| assert_valid(&schema, line));
    let [header, records @ .., footer] = lines.as_slice() else { panic!("no lines") };
    assert_eq!((header["type"].as_str(), footer["type"].as_str()), (Some("header"), Some("footer")));
    let whole: Value = serde_json::from_str(&report("json")).unwrap();
    for (record, input) in records.iter().zip(whole["inputs"].as_array().unwrap()) {
        let mut record = record.clone();
        assert_eq!(record.as_object_mut().unwrap().remove("type"), Some(json!("input")));
        assert_eq!(&record, input);
    }
    assert_eq!(footer["failed"], whole["summary"]["failed"]);
}

/// A file of a crate that carries it: public schemas come from there.
fn package_file(package: &str, path: &str) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let metadata = std::process::Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--offline", "--manifest-path"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|known| known["name"] == package).unwrap();
    Path::new(package["manifest_path"].as_str().unwrap()).with_file_name(path)
}

fn sarif_schema() -> Validator {
    let schema = std::fs::read(package_file("serde-sarif", "src/schema.json")).unwrap();
    let mut schema: Value = serde_json::from_slice(&schema).unwrap();
    assert_eq!(schema["title"], "Static Analysis Results Format (SARIF) Version 2.1.0 JSON Schema");
    // This one pattern of the published schema is no regular expression; we write no language.
    let mut removed = 0;
    for definition in schema["definitions"].as_object_mut().unwrap().values_mut() {
        if let Some(language) = definition.pointer_mut("/properties/language").and_then(Value::as_object_mut)
        {
            removed += usize::from(language.remove("pattern").is_some());
        }
    }
    assert!(removed > 0);
    jsonschema::validator_for(&schema).unwrap()
}

#[test]
fn sarif_is_of_the_public_schema_and_its_rules_are_the_checks() {
    let schema = sarif_schema();
    for text in [report("sarif"), report_hostile("sarif")] {
        let log: Value = serde_json::from_str(&text).unwrap();
        assert_valid(&schema, &log);
        let run = &log["runs"][0];
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        let ids: Vec<&str> = rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
        assert_eq!(ids, repro_build::verify::checks().iter().map(|check| check.id).collect::<Vec<_>>());
        let results = run["results"].as_array().unwrap();
        assert!(!results.is_empty());
        for result in results {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(result["ruleId"], ids[index]);
        }
    }
    let mut wrong: Value = serde_json::from_str(&report("sarif")).unwrap();
    wrong["runs"][0]["results"][0]["level"] = json!("fatal");
    assert!(!schema.is_valid(&wrong));
}

/// Reads JUnit as its readers do, recounts, and prints the first failure of each suite.
const JUNIT: &str = r#"
import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.stdin.buffer).getroot()
assert root.tag == "testsuites"
words = {"failures": "failure", "errors": "error", "skipped": "skipped"}
for element in [root, *root]:
    cases = list(element.iter("testcase"))
    assert int(element.get("tests")) == len(cases), element.attrib
    for count, tag in words.items():
        if element is root and count == "skipped":
            continue
        assert int(element.get(count)) == sum(case.find(tag) is not None for case in cases), (count, element.attrib)
for suite in root:
    assert suite.tag == "testsuite" and suite.get("name")
    for case in suite:
        assert case.tag == "testcase" and case.get("name") and case.get("classname") == suite.get("name")
        assert len(case) <= 1
    failure = suite.find("testcase/failure")
    print(suite.get("name"), "|", failure.get("type") if failure is not None else "-")
"#;

#[test]
fn junit_reads_back_with_the_right_counts() {
    let Some(python) = tool("python3") else { return };
    let read = |text: &str| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        let script = JUNIT.replace("sys.stdin.buffer", "sys.argv[1]");
        python.run(["-c".as_ref(), script.as_ref(), file.path().as_os_str()])
    };
    let lines = read(&report("junit"));
    assert_eq!(lines.lines().count(), inputs().len());
    assert!(lines.contains("07a-diffids-swapped.tar | config.diff-id"), "{lines}");
    assert!(read(&report_hostile("junit")).contains("| content.forbidden"));
}

#[test]
fn junit_is_of_the_public_schema() {
    let Some(xmllint) = tool("xmllint") else { return };
    let schema = package_file("junit-report", "tests/JUnit.xsd");
    let valid = |text: &str| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let output =
            xmllint.command().args(["--noout", "--nonet", "--schema"]).arg(&schema).arg(file.path()).output();
        let output = output.unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for text in [report("junit"), report_hostile("junit")] {
        let (valid, errors) = valid(&text);
        assert!(valid, "{errors}");
    }
    let wrong = report("junit").replacen(" tests=", " count=", 1);
    assert!(!valid(&wrong).0);
}

#[test]
fn sha256sum_accepts_its_format() {
    let Some(sha256sum) = tool("sha256sum") else { return };
    let (folder, file) = hostile();
    let sums = run(["verify".as_ref(), "--format=sha256sum".as_ref(), file.as_os_str()]).stdout;
    let list = folder.path().join("sums");
    std::fs::write(&list, &sums).unwrap();
    let status = sha256sum.command().args(["--check", "--strict", "--status"]).arg(&list).status().unwrap();
    assert!(status.success(), "{sums}");
    // Ours reads it back too, and notices when the archive is another one.
    let check = || run(["verify".as_ref(), "--no-policy".as_ref(), "-c".as_ref(), list.as_os_str()]).code;
    assert_eq!(check(), Some(0));
    let mut bytes = std::fs::read(&file).unwrap();
    bytes.extend([0; 512]);
    std::fs::write(&file, bytes).unwrap();
    assert_eq!(check(), Some(1));
}

#[test]
fn no_name_makes_a_command_of_github() {
    let text = report_hostile("github");
    let commands: Vec<&str> = text.lines().filter(|line| line.starts_with("::")).collect();
    let findings = report_hostile("json");
    let findings: Value = serde_json::from_str(&findings).unwrap();
    let shown = findings["inputs"][0]["findings"].as_array().unwrap();
    let shown = shown.iter().filter(|finding| finding["grade"] != "note").count();
    assert_eq!(commands.len(), shown, "{text}");
    for command in commands {
        let (properties, _) = command[2..].split_once("::").unwrap();
        assert_eq!(properties.matches(',').count(), 1, "{command}");
        assert!(command.contains("%25") && !command.contains("%0A"), "{command}");
    }
}

#[test]
fn no_name_is_markdown() {
    let text = report_hostile("markdown");
    let row = text.lines().find(|line| line.contains("&#60;img")).unwrap();
    assert_eq!(row.matches('|').count(), 5, "{row}");
    assert!(!text.contains("<img") && !text.contains("](u)"), "{text}");
}

#[test]
fn a_statement_is_about_the_image_digest() {
    let built = ImageBuilder::good().build();
    let (file, folder) = (built.file(), tempfile::tempdir().unwrap());
    let out = folder.path().join("vsa.json");
    let args = [
        "verify".as_ref(),
        "-q".as_ref(),
        "--attestation".as_ref(),
        out.as_os_str(),
        file.path().as_os_str(),
    ];
    assert_eq!(run(args).code, Some(0));
    let statement: Value = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(statement["predicateType"], "https://slsa.dev/verification_summary/v1");
    let hex = built.digest(Doc::Manifest(0)).strip_prefix("sha256:").unwrap();
    assert_eq!(statement["subject"][0]["digest"], json!({ "sha256": hex }));
    let predicate = statement["predicate"].as_object().unwrap();
    for required in ["verifier", "resourceUri", "policy", "verificationResult", "verifiedLevels"] {
        assert!(predicate.contains_key(required), "{required}");
    }
    assert_eq!(predicate["verificationResult"], "PASSED");

    let bad = fixtures("bad").join("01a-flip-layer-mid.tar");
    let args = ["verify".as_ref(), "--format".as_ref(), "in-toto".as_ref(), bad.as_os_str()];
    let statement = run(args).json();
    assert_eq!(statement["predicate"]["verificationResult"], "FAILED");
    assert_eq!(statement["predicate"]["verifiedLevels"], json!(["FAILED"]));
}

#[test]
fn reports_go_to_files_beside_the_main_output() {
    let (file, folder) = (ImageBuilder::good().build().file(), tempfile::tempdir().unwrap());
    let path = |name: &str| folder.path().join(name);
    for command in ["analyze", "verify"] {
        let alone = run([command, "--format", "json", file.path().to_str().unwrap()]);
        let (json, html) = (path("r.json"), path("r.html"));
        let ran = run([
            command,
            "--report",
            &format!("json={}", json.display()),
            "--report",
            &format!("html={}", html.display()),
            file.path().to_str().unwrap(),
        ]);
        assert_eq!(ran.code, Some(0));
        assert!(ran.stdout.contains("PASS"), "{}", ran.stdout);
        assert_eq!(std::fs::read_to_string(&json).unwrap(), alone.stdout);
        assert!(std::fs::read_to_string(&html).unwrap().contains("<h1>Verified</h1>"));
    }
    let twice = format!("json={}", path("r.json").display());
    let ran = run(["verify", "--report", &twice, "--report", &twice, file.path().to_str().unwrap()]);
    assert_eq!(ran.code, Some(2));
}

#[test]
fn reports_do_not_depend_on_threads() {
    for format in ["json", "text", "html", "ndjson"] {
        let with = |threads: &'static str| {
            let args = ["verify", "--format", format, "-j", threads].map(PathBuf::from);
            run(args.into_iter().chain(inputs())).stdout
        };
        let runs: HashSet<String> = ["1", "2", "7"].map(with).into();
        assert_eq!(runs.len(), 1, "{format}");
    }
}

#[test]
fn one_image_and_many_have_names_of_all_formats_in_help() {
    let help = run(["verify", "--help"]).stdout;
    for format in repro_build::report::FORMATS {
        assert!(help.contains(format.name) && help.contains(format.about), "{}", format.name);
    }
    let image = Image::new(vec![Layer::new(&[Member::file("a", "a")])]);
    let file = ImageBuilder::good().image(image).build().file();
    for format in repro_build::report::FORMATS {
        let ran = run(["verify", "--format", format.name, file.path().to_str().unwrap()]);
        assert!(ran.code.is_some_and(|code| code < 2) && !ran.stdout.is_empty(), "{}: {ran:?}", format.name);
    }
}
