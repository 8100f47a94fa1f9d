//! Which inputs a run is over: what a search through folders takes and passes over, and lists from a pipe.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;

use super::support::{Doc, ImageBuilder, Layout, Member, Packing, Ran, fixtures, program, run, tar, tool};

/// How `verify` says that each input fares.
fn fares(ran: &Ran) -> BTreeMap<String, String> {
    let report = ran.json();
    let inputs = report["inputs"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    inputs.map(|input| (text(&input["name"]), text(&input["outcome"]))).collect()
}

/// A folder with images, what is left of some, and other things; with the names of what must be in the report.
fn archive(root: &Path) -> Vec<&'static str> {
    let image = ImageBuilder::good().layout(Layout::Oci).tar();
    let flipped = |at: usize| {
        let mut bytes = image.clone();
        bytes[at] ^= 1;
        bytes
    };
    let gzip = Packing::Gzip.pack(&image);
    let other = tar(&[Member::file("README", "no image"), Member::dir("src")]);
    for folder in ["deep/er", ".git"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    let files: Vec<(&str, Vec<u8>, bool)> = vec![
        ("good.tar", image.clone(), true),
        ("deep/er/no-name-of-an-archive", image.clone(), true),
        ("name.tar", flipped(3), true),
        ("checksum.tar", flipped(150), true),
        ("cut.tar", image[..300].to_vec(), true),
        ("empty.tar", Vec::new(), true),
        ("empty.oci", Vec::new(), true),
        ("zeros.tar", vec![0; image.len()], true),
        ("cut.tar.gz", gzip[..40].to_vec(), true),
        ("damaged.tgz", [&gzip[..30], &[0xff; 9], &gzip[39..]].concat(), true),
        ("text.TAR.ZST", b"no archive".to_vec(), true),
        // A tar whose second member is damaged may have held anything.
        ("stopped", [&other[..1024], &[b'x'; 512], &other[1536..]].concat(), true),
        ("sources.tar", other.clone(), false),
        ("sources.tar.gz", Packing::Gzip.pack(&other), false),
        ("SUMS", b"abc  good.tar\n".to_vec(), false),
        ("good.tar.sha256", b"abc  good.tar\n".to_vec(), false),
        ("notes.gz", Packing::Gzip.pack(b"notes"), false),
        ("empty", Vec::new(), false),
        (".git/config", b"[core]".to_vec(), false),
    ];
    for (name, bytes, _) in &files {
        fs::write(root.join(name), bytes).unwrap();
    }
    symlink("nowhere", root.join("gone.tar")).unwrap();
    symlink("nowhere", root.join(".#lock")).unwrap();
    symlink("..", root.join("deep/loop")).unwrap();
    let layout = ImageBuilder::good().layout(Layout::Oci).build().folder();
    fs::remove_file(layout.path().join("index.json")).unwrap();
    fs::rename(layout.path(), root.join("layout")).unwrap();
    fs::create_dir(root.join("marker")).unwrap();
    fs::write(root.join("marker/oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    let taken = files.iter().filter(|(_, _, taken)| *taken).map(|(name, _, _)| *name);
    taken.chain(["gone.tar", "layout", "marker"]).collect()
}

#[test]
fn a_search_fares_as_all_that_is_named_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let named: Vec<String> =
        archive(root).iter().map(|name| root.join(name).to_str().unwrap().to_owned()).collect();
    let args = |inputs: &[String]| [&["verify".into(), "--format=json".into()], inputs].concat();
    let searched = run(args(&[root.to_str().unwrap().to_owned()]));
    assert_eq!(searched.code, Some(2), "{}", searched.stderr);
    assert_eq!(fares(&searched), fares(&run(args(&named))));
    let of = |name: &str| fares(&searched)[root.join(name).to_str().unwrap()].clone();
    assert_eq!([of("good.tar"), of("layout"), of("gone.tar")], ["pass", "fail", "unreadable"]);
    assert_eq!(searched.stderr, "9 files passed over: no images\n");
}

#[test]
fn what_is_passed_over_is_named_to_who_wants_more() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("good.tar"), ImageBuilder::good().tar()).unwrap();
    fs::write(folder.path().join("README\u{1b}"), "").unwrap();
    let verify = |flag: &str| run(["verify", flag, folder.path().to_str().unwrap()]);
    let shown = format!("{}/README\\u{{1b}}", folder.path().display());
    assert_eq!(verify("-v").stderr, format!("1 file passed over: no image\n  {shown}\n"));
    let quiet = verify("-q");
    assert_eq!((quiet.code, quiet.stdout.as_str(), quiet.stderr.as_str()), (Some(0), "", ""));
}

#[test]
fn a_folder_that_cannot_be_listed_is_an_unreadable_input() {
    use std::os::unix::{fs::PermissionsExt as _, process::CommandExt as _};
    let folder = tempfile::tempdir().unwrap();
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::write(folder.path().join("good.tar"), ImageBuilder::good().tar()).unwrap();
    for (path, mode) in [(folder.path(), 0o755), (closed.as_path(), 0o000)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let mut command = program();
    command.args(["verify", "--format", "json"]).arg(folder.path());
    // For root, nothing is closed.
    if fs::read_dir(&closed).is_ok() {
        command.uid(65534);
    }
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => return eprintln!("SKIPPED: another user cannot run the program: {error}"),
    };
    let ran = Ran::of(output);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert_eq!(fares(&ran).into_values().collect::<Vec<_>>(), ["unreadable", "pass"]);
    assert!(ran.stdout.contains("cannot list"), "{}", ran.stdout);
}

#[test]
fn a_list_may_come_from_a_pipe() {
    let (good, bad) = (
        ImageBuilder::good().build().file(),
        ImageBuilder::good().stored(Doc::Layer(0, 0), |bytes| bytes[20] ^= 1).build().file(),
    );
    let mut child = program()
        .args(["verify", "--from-file", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let list = [good.path().to_str().unwrap(), "\0", bad.path().to_str().unwrap(), "\0"].concat();
    child.stdin.take().unwrap().write_all(list.as_bytes()).unwrap();
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stdout.contains("2 inputs: 1 passed, 1 failed, 0 unreadable"), "{}", ran.stdout);
}

#[test]
fn a_directory_of_another_transport_is_told_from_a_damaged_layout() {
    let Some(skopeo) = tool("skopeo") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (image, to) = (fixtures("good").join("tiny-bk-oci-rw0.tar"), folder.path().join("dir"));
    let from = format!("oci-archive:{}", image.display());
    skopeo.run(["copy", "--quiet", "--insecure-policy", &from, &format!("dir:{}", to.display())]);
    // Given by name and found in a folder: it is an image, so it may not be passed over.
    for path in [&to, &folder.path().to_owned()] {
        let ran = run(["verify".as_ref(), path.as_os_str()]);
        assert_eq!(ran.code, Some(2), "{}", ran.stdout);
        assert!(ran.stdout.contains("oci-archive:"), "{}", ran.stdout);
    }
}
