//! `ls` against other readers: the same layers, entry by entry, in Python's tarfile and GNU tar.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use repro_build::{
    archive::{OpenOptions, Source},
    codec,
    inspect::with_graph,
    limits::Limits,
};

use serde_json::json;

use crate::support::{
    ImageBuilder, Layer, Member, Packing, digest, expected, fixtures, run, tool, write_sparse,
};

/// One layer of one fixture: where it comes from, and its decoded tar.
struct LayerTar {
    archive: PathBuf,
    /// Its digest, or its number where it has none: a tag may be a number too.
    image: String,
    layer: usize,
    tar: Vec<u8>,
}

/// Every layer of every good fixture.
fn layers() -> Vec<LayerTar> {
    let mut found = Vec::new();
    for folder in ["good", "pairs"] {
        let folder = fixtures(folder);
        for row in expected(&folder) {
            let archive = folder.join(&row.file);
            let source = Source::open(&archive, &OpenOptions::default()).unwrap();
            with_graph(&source, &Limits::default(), |graph| {
                for (i, image) in graph.images.iter().enumerate() {
                    if image.kind != repro_build::image::ImageKind::Image {
                        continue;
                    }
                    let name = image.digest.map_or((i + 1).to_string(), |digest| digest.hex());
                    for (j, blob) in
                        image.layers.iter().enumerate().filter_map(|(j, layer)| Some((j, layer.blob?)))
                    {
                        let tar = decoded(graph.content(blob));
                        found.push(LayerTar {
                            archive: archive.clone(),
                            image: name.clone(),
                            layer: j + 1,
                            tar,
                        });
                    }
                }
            })
            .unwrap();
        }
    }
    assert!(found.len() > 100, "only {} layers", found.len());
    found
}

fn decoded(packed: &[u8]) -> Vec<u8> {
    let mut decoder = codec::decoder(codec::sniff(packed), packed, &Limits::default());
    let mut tar = Vec::new();
    let mut window = vec![0; 64 << 10];
    loop {
        match decoder.fill(&mut window).unwrap() {
            0 => return tar,
            n => tar.extend_from_slice(&window[..n]),
        }
    }
}

/// What `ls` prints for one layer.
fn ls(layer: &LayerTar, format: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_repro-build"))
        .args(["ls", "--format", format, "--image", &layer.image, "--layer", &layer.layer.to_string()])
        .arg(&layer.archive)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}: {}",
        layer.archive.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// The raw listing as Python's tarfile sees a layer.
const PYTHON: &str = r#"
import math, sys, tarfile
kinds = {b'0': 'f', b'\0': 'f', b'1': 'h', b'2': 'l', b'3': 'c', b'4': 'b', b'5': 'd', b'6': 'p'}
def quoted(name):
    raw = name.encode('utf-8', 'surrogateescape')
    return ''.join(chr(b) if 33 <= b <= 126 and b != 37 else '%%%02X' % b for b in raw)
for path in sys.argv[1:]:
    print('#', path)
    with tarfile.open(path, 'r:', encoding='utf-8', errors='surrogateescape') as tar:
        for m in tar:
            size = m.size if m.isreg() else 0
            link = m.linkname if m.issym() or m.islnk() else ''
            print(kinds[m.type], '%04o' % (m.mode & 0o7777), m.uid, m.gid, size, math.floor(m.mtime),
                  quoted(m.name.rstrip('/')), quoted(link), sep='\t')
"#;

#[test]
fn every_entry_is_what_python_lists() {
    let Some(python) = tool("python3") else { return };
    // Python refuses umoci's layers, which stop without padding; GNU tar reads them.
    let layers: Vec<LayerTar> = layers().into_iter().filter(|layer| layer.tar.len() % 512 == 0).collect();
    let folder = tempfile::tempdir().unwrap();
    let paths = written(&layers, folder.path());
    let output = python.command().arg("-c").arg(PYTHON).args(&paths).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut listings = text.split("# ").skip(1);
    let mut entries = 0;
    for layer in &layers {
        let python: Vec<&str> = listings.next().unwrap().lines().skip(1).collect();
        assert_eq!(ls(layer, "raw"), python, "{} layer {}", layer.archive.display(), layer.layer);
        entries += python.len();
    }
    println!("{} layers, {entries} entries, the same in Python's tarfile", layers.len());
}

#[test]
fn every_line_is_what_gnu_tar_prints() {
    let Some(tar) = tool("tar") else { return };
    let layers = layers();
    let folder = tempfile::tempdir().unwrap();
    let mut lines = 0;
    for (layer, path) in layers.iter().zip(written(&layers, folder.path())) {
        let output = tar
            .command()
            .env("TZ", "UTC")
            .env("LC_ALL", "C")
            .args(["-tv", "--full-time", "--quoting-style=literal", "-f"])
            .arg(&path)
            .output()
            .unwrap();
        // It warns of umoci's missing padding and goes on, as we do.
        let theirs = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let ours = ls(layer, "tar-v");
        let theirs: Vec<&[u8]> = theirs.collect();
        assert_eq!(ours.len(), theirs.len(), "{} layer {}", layer.archive.display(), layer.layer);
        for (ours, theirs) in ours.iter().zip(theirs) {
            // Odd bytes are quoted each in its own way; Python's listing covers those.
            let Some(theirs) = std::str::from_utf8(theirs).ok().filter(|line| line.is_ascii()) else {
                continue;
            };
            assert_eq!(words(ours), words(theirs), "{} layer {}", layer.archive.display(), layer.layer);
            lines += 1;
        }
    }
    assert!(lines > 500, "only {lines} lines compared");
    println!("{lines} lines, the same in GNU tar");
}

/// However the root of the image is written, one path is one path.
#[test]
fn paths_are_found_from_the_root() {
    let members =
        [Member::dir("./etc/"), Member::file("./etc/passwd", ""), Member::file("srv/etc/passwd", "")];
    let file = ImageBuilder::good().layers(vec![Layer::new(&members)]).build().file();
    let find = |pattern: &str| {
        let ran = run(["ls", "--format", "ndjson", "--find", pattern, file.path().to_str().unwrap()]);
        let name = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["name"].clone();
        (ran.code, ran.stdout.lines().map(name).collect::<Vec<_>>())
    };
    for pattern in ["etc/passwd", "/etc/passwd", "./etc/passwd", "/*/passwd"] {
        assert_eq!(find(pattern), (Some(0), vec!["./etc/passwd".into()]), "{pattern}");
    }
    assert_eq!(find("/etc/"), (Some(0), vec!["./etc/".into()]));
    assert_eq!(find("**/passwd").1.len(), 2);
    for pattern in ["", "/", "etc//passwd", "etc/../etc", "./."] {
        assert_eq!(find(pattern), (Some(2), vec![]), "{pattern}");
    }
}

/// Lists the one layer of an image as `ls --digest` does.
fn ls_json(tar: Vec<u8>) -> serde_json::Value {
    let file = tempfile::NamedTempFile::new().unwrap();
    let image = ImageBuilder::good().layers(vec![Layer::of_tar(tar, Packing::Plain)]);
    fs::write(file.path(), image.tar()).unwrap();
    run(["ls".as_ref(), "--digest".as_ref(), "--format=json".as_ref(), file.path()]).json()
}

/// What a sparse file holds is what it was before GNU tar left out its holes.
#[test]
fn digests_of_sparse_files_count_their_holes() {
    let Some(tar) = tool("tar") else { return };
    let folder = tempfile::tempdir().unwrap();
    let content = |size: usize, data: &[usize]| {
        let mut content = vec![0; size];
        data.iter().for_each(|at| content[*at..*at + 4096].fill(b'x'));
        content
    };
    let files = [
        ("begin", content(1 << 20, &[0])),
        ("middle", content(1 << 20, &[1 << 16, 1 << 18])),
        ("end", content((1 << 20) + 4096, &[1 << 20])),
        ("hole", content(1 << 20, &[])),
        ("plain", content(4096, &[0])),
    ];
    for (name, content) in &files {
        write_sparse(&folder.path().join(name), content);
    }
    for format in [&["gnu"][..], &["posix", "0.0"], &["posix", "0.1"], &["posix", "1.0"]] {
        let path = folder.path().join("layer.tar");
        let mut command = tar.command();
        command.args(["--hole-detection=raw", "-cS", &format!("--format={}", format[0])]);
        command.args(format.get(1).map(|version| format!("--sparse-version={version}")));
        command.arg("-C").arg(folder.path()).args(files.iter().map(|(name, _)| name)).arg("-f").arg(&path);
        assert!(command.status().unwrap().success());
        let layer = fs::read(path).unwrap();
        assert!(layer.len() < 1 << 18, "the holes are stored");
        let listed = ls_json(layer);
        for ((name, content), listed) in files.iter().zip(listed.as_array().unwrap()) {
            let expected = digest("sha256", content);
            assert_eq!((&listed["name"], &listed["digest"]), (&json!(name), &json!(expected)), "{format:?}");
        }
    }
}

#[test]
fn a_hole_larger_than_the_limit_is_not_hashed() {
    let sparse = |size: u64| {
        let map = Member::file(format!("{size}"), "").pax("GNU.sparse.numblocks", "0");
        map.pax("GNU.sparse.major", "0").pax("GNU.sparse.minor", "1").pax("GNU.sparse.size", size.to_string())
    };
    let listed = ls_json(crate::support::tar(&[sparse(1 << 60), sparse(4096)]));
    assert_eq!((&listed[0]["size"], listed[0].get("digest")), (&json!(1_u64 << 60), None));
    assert_eq!(listed[1]["digest"], digest("sha256", &[0; 4096]));
}

#[test]
fn times_are_listed_to_the_nanosecond() {
    let at = |time: &str| Member::file(time, "").pax("mtime", time);
    let times = ["1700000000.123456789", "1700000000.1234567", "-0.5"];
    let listed = ls_json(crate::support::tar(&times.map(at)));
    for (i, secs, nanos) in
        [(0, 1_700_000_000, 123_456_789), (1, 1_700_000_000, 123_456_700), (2, -1, 500_000_000)]
    {
        assert_eq!((&listed[i]["mtime_secs"], &listed[i]["mtime_nanos"]), (&json!(secs), &json!(nanos)));
    }
}

/// The words of a line. GNU tar pads columns as it goes and shows fractions of seconds; before 1970 it rounds those up,
/// where Go and Python round down, so that only the date counts there.
fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let early = words.get(3).is_some_and(|date| date.as_str() < "1970");
    if let Some(time) = words.get_mut(4) {
        time.truncate(if early { 0 } else { "00:00:00".len() });
    }
    words
}

fn written(layers: &[LayerTar], folder: &Path) -> Vec<PathBuf> {
    let write = |(i, layer): (usize, &LayerTar)| {
        let path = folder.join(format!("{i}.tar"));
        fs::write(&path, &layer.tar).unwrap();
        path
    };
    layers.iter().enumerate().map(write).collect()
}

#[test]
fn mtree_reads_what_is_written_for_it() {
    let (Some(mtree), Some(bsdtar)) = (tool("mtree"), tool("bsdtar")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let device = Member::device(b'3', "dev/null", 1, 3);
    let rootless = vec![Member::dir("dev"), device, Member::file("a b*#\\[", "x")];
    let rooted = [vec![Member::dir("./")], rootless.clone()].concat();
    for members in [rootless, rooted] {
        let file = folder.path().join("image.tar");
        fs::write(&file, ImageBuilder::good().layers(vec![Layer::new(&members)]).tar()).unwrap();
        let spec = folder.path().join("spec");
        fs::write(&spec, run(["ls", "--format", "mtree", file.to_str().unwrap()]).stdout).unwrap();
        let output = mtree.command().args(["-C", "-f"]).arg(&spec).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let names: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
        // As it writes them itself (vis(3), VIS_CSTYLE).
        assert_eq!(names, [".", "./dev", "./dev/null", r"./a\sb*\#\\["], "{text}");
        // mtree keeps devices to itself.
        let output = bsdtar.command().arg("-tvf").arg(&spec).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let device = text.lines().find(|line| line.starts_with('c')).unwrap();
        assert!(device.contains("1,3") && device.ends_with("dev/null"), "{text}");
    }
}
