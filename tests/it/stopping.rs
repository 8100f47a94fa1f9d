//! Results come as soon as they can, and Ctrl-C ends everything.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::support::{ImageBuilder, Member, program};

/// Nothing here takes nearly as long; what does hangs.
const HANGS: Duration = Duration::from_secs(60);

/// Runs `verify` on a good image and `more`, and waits until the first result is printed.
fn begun(more: &str, scratch: &Path) -> (Child, BufReader<ChildStdout>) {
    let file = ImageBuilder::good().build().file();
    let mut child = program()
        .args(["verify".as_ref(), file.path().as_os_str(), more.as_ref()])
        .env("TMPDIR", scratch)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        send.send((line, out)).unwrap();
    });
    let (line, out) = receive.recv_timeout(HANGS).expect("the first result waits for the second input");
    assert!(line.starts_with("PASS "), "{line}");
    (child, out)
}

fn interrupt(mut child: Child) -> std::process::ExitStatus {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || send.send(child.wait().unwrap()));
    receive.recv_timeout(HANGS).expect("it does not stop")
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn a_result_does_not_wait_for_the_next_input() {
    let scratch = tempfile::tempdir().unwrap();
    let (mut child, out) = begun("-", scratch.path());
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&ImageBuilder::good().tar()).unwrap();
    drop(stdin);
    let rest: Vec<String> = out.lines().map(Result::unwrap).collect();
    assert!(rest[0].starts_with("PASS -"), "{rest:?}");
    assert!(child.wait().unwrap().success());
}

#[test]
fn ctrl_c_ends_a_read_that_blocks() {
    let scratch = tempfile::tempdir().unwrap();
    let (mut child, _out) = begun("-", scratch.path());
    let mut stdin = child.stdin.take().unwrap();
    // More than stays in memory, so that there is a temporary file.
    stdin.write_all(&vec![0; 80 << 20]).unwrap();
    let status = interrupt(child);
    assert_eq!((status.code(), status.signal()), (Some(130), None));
    assert!(is_empty(scratch.path()));
    drop(stdin);
}

#[test]
fn ctrl_c_ends_work() {
    let scratch = tempfile::tempdir().unwrap();
    let large = tempfile::NamedTempFile::new().unwrap();
    let name = format!("blobs/sha256/{}", "0".repeat(64));
    let mut head = Member::file("oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}").bytes();
    let size = 7 << 30;
    let blob = Member::file(name, "").size(size).bytes();
    head.extend(&blob[..512]);
    large.as_file().write_all(&head).unwrap();
    // A hole: reading it takes seconds, writing it nothing.
    large.as_file().set_len(head.len() as u64 + size + 1024).unwrap();
    let (child, _out) = begun(large.path().to_str().unwrap(), scratch.path());
    let status = interrupt(child);
    assert_eq!((status.code(), status.signal()), (Some(130), None));
    assert!(is_empty(scratch.path()));
}
