//! Files that are no plain image tarballs, and outputs that cannot be written: the program as a process.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::{Image, ImageBuilder, Layer, Layout, Member, Packing};

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_repro-build"));
    command.env_clear().stdin(Stdio::null());
    command
}

fn verify(path: &Path) -> Output {
    program().arg("verify").arg(path).output().unwrap()
}

/// Asserts that an input could not be read: code 2, a line that says why, nothing of a panic.
fn unreadable(output: &Output, why: &str) {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains(why), "no word of {why:?} in: {text}");
    assert!(!text.contains("panicked") && !text.contains("PASS"), "{text}");
}

/// An archive that takes a while to verify: a layer of many megabytes that do not compress.
fn large() -> Vec<u8> {
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    let data: Vec<u8> = noise.take(6 << 20).flatten().collect();
    let layer = Layer::of_tar(crate::support::tar(&[Member::file("noise", data)]), Packing::Plain);
    ImageBuilder::new(Layout::Oci, vec![Image::new(vec![layer])]).tar()
}

/// Runs `verify` on a file that `change` changes once the program has it open.
fn changed_meanwhile(args: &[&str], change: impl Fn(&mut File)) -> Output {
    let mut temporary = tempfile::NamedTempFile::new().unwrap();
    temporary.write_all(&large()).unwrap();
    let mut child = program()
        .arg("verify")
        .args(args)
        .arg(temporary.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let process = Path::new("/proc").join(child.id().to_string());
    let name = temporary.path().to_string_lossy().into_owned();
    let mapped = || fs::read_to_string(process.join("maps")).unwrap_or_default().contains(&name);
    let open = || {
        let files = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        files.filter_map(|file| fs::read_link(file.path()).ok()).any(|path| path == temporary.path())
    };
    while child.try_wait().unwrap().is_none() && !mapped() && !open() {
        std::thread::yield_now();
    }
    change(temporary.as_file_mut());
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(text.contains(&format!("{name}: ")), "no word of {name} in: {text}");
    output
}

#[test]
fn a_file_that_changes_while_it_is_read_gets_no_verdict() {
    if cfg!(not(target_os = "linux")) {
        return;
    }
    let rewritten = changed_meanwhile(&["-j1"], |file| {
        file.seek(SeekFrom::Start(1 << 20)).unwrap();
        file.write_all(b"changed").unwrap();
    });
    unreadable(&rewritten, "input changed while reading");
    let shorter = changed_meanwhile(&["-j1"], |file| file.set_len(4096).unwrap());
    unreadable(&shorter, "input changed while reading");
    let longer = changed_meanwhile(&["-j1"], |file| {
        file.seek(SeekFrom::End(0)).unwrap();
        file.write_all(&[0; 512]).unwrap();
    });
    unreadable(&longer, "input changed while reading");
    let read = changed_meanwhile(&["-j1", "--no-mmap"], |file| file.set_len(4096).unwrap());
    unreadable(&read, "input changed while reading");
}

#[test]
fn what_is_no_file_is_refused_and_never_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    unreadable(&verify(&fifo), "neither a file nor a directory");
    unreadable(&verify(Path::new("/dev/zero")), "neither a file nor a directory");
    let socket = folder.path().join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    unreadable(&verify(&socket), "neither a file nor a directory");
    unreadable(&verify(&folder.path().join("gone")), "cannot open");
    let dangling = folder.path().join("dangling");
    std::os::unix::fs::symlink("nowhere", &dangling).unwrap();
    unreadable(&verify(&dangling), "cannot open");
}

#[test]
fn files_without_an_image_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    File::create(&empty).unwrap();
    unreadable(&verify(&empty), "empty");
    let text = folder.path().join("text");
    fs::write(&text, "no tar at all\n").unwrap();
    unreadable(&verify(&text), "not a tar archive");
    let sparse = folder.path().join("sparse");
    File::create(&sparse).unwrap().set_len(1 << 40).unwrap();
    let output = program().args(["analyze"]).arg(&sparse).output().unwrap();
    unreadable(&output, "not a tar archive");
    let nothing = tempfile::tempdir().unwrap();
    let output = program().args(["analyze"]).arg(nothing.path()).output().unwrap();
    unreadable(&output, "no image layout");
}

/// Would take half an hour if all of it were read.
#[test]
fn a_hole_behind_the_archive_is_refused_and_never_read() {
    let file = ImageBuilder::good().build().file();
    File::options().write(true).open(file.path()).unwrap().set_len(1 << 40).unwrap();
    for command in [&["verify"][..], &["analyze"], &["diff", "--exit-zero", file.path().to_str().unwrap()]] {
        let output = program().args(command).arg(file.path()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(if command[0] == "diff" { 0 } else { 1 }), "{text}");
        assert!(text.contains("archive.long-tail") && text.contains("67108864"), "{text}");
    }
}

#[test]
fn an_unreadable_file_is_refused() {
    let file = ImageBuilder::good().build().file();
    let mut permissions = fs::metadata(file.path()).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0);
    fs::set_permissions(file.path(), permissions).unwrap();
    let mut command = program();
    command.arg("verify").arg(file.path());
    if File::open(file.path()).is_ok() {
        // Root may read everything, and become somebody who may not.
        std::os::unix::process::CommandExt::uid(&mut command, 65534);
    }
    match command.output() {
        Err(error) => eprintln!("SKIPPED: another user cannot run the program: {error}"),
        Ok(output) => unreadable(&output, "cannot open"),
    }
}

#[test]
fn one_bad_input_does_not_stop_the_others() {
    let good = ImageBuilder::good().build().file();
    let output = program().args(["verify", "/nowhere"]).arg(good.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("PASS"), "{text}");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_full_disk_is_an_error() {
    let file = ImageBuilder::good().build().file();
    for command in ["verify", "analyze", "ls", "digest"] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = program().arg(command).arg(file.path()).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{command}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write"), "{command}");
    }
}

#[test]
fn a_closed_pipe_is_a_quiet_success() {
    let members: Vec<Member> = (0..20_000).map(|i| Member::file(format!("file{i}"), "")).collect();
    let file = ImageBuilder::good().layout(Layout::Oci).layers(vec![Layer::new(&members)]).build().file();
    let mut child =
        program().arg("ls").arg(file.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn standard_input_is_read_plain_and_compressed() {
    for packing in Packing::ALL {
        let mut child =
            program().args(["verify", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(&packing.pack(&ImageBuilder::good().tar())).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{packing:?}");
        assert!(output.stdout.starts_with(b"PASS"), "{packing:?}");
    }
}

#[test]
fn reading_without_mapping_says_the_same() {
    let file = ImageBuilder::good().build().file();
    let plain = verify(file.path());
    let read = program().args(["verify", "--no-mmap"]).arg(file.path()).output().unwrap();
    assert_eq!((plain.status.code(), plain.stdout), (Some(0), read.stdout));
}

#[test]
fn a_layout_directory_is_an_image() {
    let folder = ImageBuilder::good().layout(Layout::Oci).build().folder();
    assert_eq!(verify(folder.path()).status.code(), Some(0));
}
