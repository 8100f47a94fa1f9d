//! Results come as soon as they can, and Ctrl-C and SIGTERM end everything.

use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::support::{ImageBuilder, Layer, Member, Packing, program, tar};

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

fn signal(child: &Child, signal: &str) {
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

fn ended(mut child: Child) -> std::process::ExitStatus {
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

/// The signals that stop the program, and its exit codes.
const SIGNALS: [(&str, i32); 2] = [("-INT", 130), ("-TERM", 143)];

#[test]
fn a_read_that_blocks_ends() {
    for (name, code) in SIGNALS {
        let scratch = tempfile::tempdir().unwrap();
        let (mut child, _out) = begun("-", scratch.path());
        let mut stdin = child.stdin.take().unwrap();
        // More than stays in memory, so that there is a temporary file.
        stdin.write_all(&vec![0; 80 << 20]).unwrap();
        signal(&child, name);
        let status = ended(child);
        assert_eq!((status.code(), status.signal()), (Some(code), None));
        assert!(is_empty(scratch.path()));
        drop(stdin);
    }
}

/// A layout of some blobs of that many bytes, which take time to read, and being holes, nothing to write.
pub(super) fn holes(blobs: usize, size: u64) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut archive = file.as_file();
    archive.write_all(&Member::file("oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}").bytes()).unwrap();
    for number in 0..blobs {
        let blob = Member::file(format!("blobs/sha256/{number:064}"), "").size(size).bytes();
        archive.write_all(&blob[..512]).unwrap();
        archive.seek(SeekFrom::Current(i64::try_from(size).unwrap())).unwrap();
    }
    let end = archive.stream_position().unwrap();
    archive.set_len(end + 1024).unwrap();
    file
}

#[test]
fn work_ends() {
    let large = holes(1, 7 << 30);
    for (name, code) in SIGNALS {
        let scratch = tempfile::tempdir().unwrap();
        let (child, _out) = begun(large.path().to_str().unwrap(), scratch.path());
        signal(&child, name);
        let status = ended(child);
        assert_eq!((status.code(), status.signal()), (Some(code), None));
        assert!(is_empty(scratch.path()));
    }
}

/// An image whose normalisation takes seconds, and the folder that it is to be written to.
#[test]
fn an_output_that_was_begun_goes() {
    let noise: Vec<u8> = (0..60_u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let layer = Layer::of_tar(tar(&[Member::file("noise", noise)]), Packing::Zstd);
    let input = ImageBuilder::good().layers(vec![layer]).build().file();
    for (name, code) in SIGNALS {
        // Once, and so fast that the second signal comes before the first one is acted upon.
        for times in [1, 2] {
            let folder = tempfile::tempdir().unwrap();
            let output = folder.path().join("out.tar");
            let mut child = program()
                .args(["normalize", "--sde", "0", "--level", "canonical"])
                .args([input.path(), "-o".as_ref(), &output])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            while is_empty(folder.path()) {
                assert_eq!(child.try_wait().unwrap(), None, "ended before it was stopped");
                std::thread::sleep(Duration::from_millis(5));
            }
            (0..times).for_each(|_| signal(&child, name));
            let status = ended(child);
            assert_eq!((status.code(), status.signal()), (Some(code), None));
            assert!(is_empty(folder.path()), "{name} {times}");
        }
    }
}
