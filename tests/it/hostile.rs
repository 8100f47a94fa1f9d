//! The tar reader and writer against other readers and writers: third-party archives, hostile ones, real layers.
//!
//! Needs the test data beside the checkout (`../shared`); says so and passes where it is not there.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use repro_build::digest::{Algorithm, Digest};
use repro_build::grade::Grade;
use repro_build::limits::Limits;
use repro_build::tar::{
    Anomaly, END, End, GlobalHeader, Member, Sink, Timestamp, Walker, encode, encode_global, padding,
};

use crate::walked::{Walked, walk};

fn worst(seen: &Walked) -> Option<Grade> {
    seen.anomalies.iter().map(|anomaly| anomaly.kind.grade()).max()
}

fn ids(seen: &Walked) -> Vec<&'static str> {
    let mut ids: Vec<_> =
        seen.anomalies.iter().map(|anomaly| anomaly.kind.id().trim_start_matches("tar.")).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// The shared test data, or `None` with a word about it.
fn shared(what: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(what);
    if !path.exists() {
        eprintln!("SKIPPED: no test data at {}", path.display());
        return None;
    }
    Some(path)
}

/// Rows of a table with a header line.
fn rows(path: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().skip(1).map(|line| line.split('\t').map(String::from).collect()).collect()
}

/// Go's listing of an archive, and whether Go read it to its end.
fn go_listing(path: &Path) -> (Vec<String>, bool) {
    let text = fs::read_to_string(path).unwrap();
    let mut lines: Vec<String> = text.lines().map(String::from).collect();
    let verdict = lines.pop().unwrap();
    (lines, verdict == "#ok")
}

#[test]
fn listings_equal_those_of_go() {
    let Some(root) = shared("hostile") else { return };
    let (mut equal, mut explained, mut refused) = (0, Vec::new(), 0);
    let mut silent = Vec::new();
    let mut archives = Vec::new();
    for folder in ["go", "tar-rs", "tokio-tar", "synth/layers"] {
        let mut files: Vec<_> =
            fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap()).collect();
        files.sort_by_key(|entry| entry.file_name());
        let names = files.iter().map(|entry| format!("{folder}/{}", entry.file_name().display()));
        archives.extend(names.filter(|name| name.ends_with(".tar")));
    }
    for name in &archives {
        let (go, go_ok) = go_listing(&root.join(format!("expect/{name}.go")));
        let seen = walk(&fs::read(root.join(name)).unwrap());
        let sizes = seen.members.iter().fold(0, |sum: u64, member| sum.saturating_add(member.size));
        assert!(seen.data <= sizes, "{name}: more data than the members have");
        match (seen.listing() == go, go_ok, worst(&seen)) {
            (_, false, Some(Grade::Error)) => refused += 1,
            (true, true, _) => equal += 1,
            (false, true, Some(Grade::Error | Grade::Warning)) => {
                explained.push(format!("{name}: {:?} {:#?}", ids(&seen), seen.listing()))
            }
            (_, _, _) => silent.push(format!(
                "{name}: ours {:#?}\n Go {go:#?} ok {go_ok}\n we say {:#?}",
                seen.listing(),
                seen.anomalies
            )),
        }
    }
    eprintln!(
        "{} archives: {equal} listings equal Go's, {} differ with a finding, {refused} refused by both, {} silently \
         different",
        archives.len(),
        explained.len(),
        silent.len()
    );
    explained.iter().for_each(|line| eprintln!("  {line}"));
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}

/// Files whose expectation and content do not agree, with the reason.
const DISAGREEING: [(&str, &str, &str); 3] = [
    ("dup-nfc-nfd.tar", "warn", "both names are the same bytes, so it is a true duplicate"),
    ("short-511.tar", "fail", "Go refuses it, and no tool writes it"),
    ("type-53.tar", "fail", "Go refuses its data: a sparse file without map that has data"),
];

#[test]
fn hostile_layers_are_graded_as_expected() {
    let Some(root) = shared("hostile") else { return };
    let mut wrong = Vec::new();
    let mut count = 0;
    for row in rows(&root.join("EXPECT-synth.tsv")) {
        let [file, _, expect, must] = row.as_slice() else { panic!("{row:?}") };
        let Some(name) = file.strip_prefix("synth/layers/") else { continue };
        let expect = DISAGREEING.iter().find(|(file, ..)| *file == name).map_or(expect.as_str(), |row| row.1);
        let seen = walk(&fs::read(root.join(file)).unwrap());
        let grade = match worst(&seen) {
            Some(Grade::Error) => "fail",
            Some(Grade::Warning) => "warn",
            Some(Grade::Note) | None => "ok",
        };
        count += 1;
        if grade != expect {
            wrong.push(format!(
                "{name}: want {expect}, got {grade} {:?} {:?} ({must})",
                ids(&seen),
                seen.outcome.end
            ));
        }
    }
    eprintln!("{count} hostile layers, {} graded otherwise than expected", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where other readers part from Go there must be something to read about it.
#[test]
fn disagreement_among_readers_never_goes_without_a_word() {
    let Some(root) = shared("hostile") else { return };
    let mut mute = Vec::new();
    for row in rows(&root.join("EXPECT.tsv")) {
        let (file, agree, go) = (&row[0], &row[4], &row[5]);
        if agree == "all" || go != "ok" || !root.join(file).exists() {
            continue;
        }
        let seen = walk(&fs::read(root.join(file)).unwrap());
        if seen.anomalies.is_empty() {
            mute.push(format!("{file} ({agree})"));
        }
    }
    assert!(mute.is_empty(), "{mute:#?}");
}

/// The members of an archive with their data.
#[derive(Default)]
struct Whole {
    items: Vec<Item>,
    anomalies: Vec<Anomaly>,
}

enum Item {
    Member(Box<Member>, Vec<u8>),
    Global(GlobalHeader),
}

impl Sink for Whole {
    fn member(&mut self, member: Member) {
        self.items.push(Item::Member(Box::new(member), Vec::new()));
    }

    fn data(&mut self, bytes: &[u8]) {
        if let Some(Item::Member(_, data)) = self.items.last_mut() {
            data.extend_from_slice(bytes);
        }
    }

    fn global(&mut self, header: GlobalHeader) {
        self.items.push(Item::Global(header));
    }

    fn anomaly(&mut self, anomaly: Anomaly) {
        self.anomalies.push(anomaly);
    }
}

fn read_whole(archive: &[u8]) -> Whole {
    let mut whole = Whole::default();
    let outcome = Walker::walk(&Limits::default(), archive, &mut whole);
    assert_ne!(outcome.end, End::Failed, "{:?}", whole.anomalies);
    whole
}

/// A layer as BuildKit's `rewrite-timestamp=true` with SOURCE_DATE_EPOCH=0 rewrites it.
fn clamp(layer: &[u8]) -> Vec<u8> {
    let epoch = Timestamp::default();
    let mut out = Vec::new();
    for item in read_whole(layer).items {
        match item {
            Item::Global(header) => out.extend(encode_global(&header).unwrap()),
            Item::Member(mut member, data) => {
                member.mtime = member.mtime.min(epoch);
                member.atime = member.atime.map(|time| time.min(epoch));
                member.ctime = member.ctime.map(|time| time.min(epoch));
                out.extend(encode(&member).unwrap());
                out.extend(&data);
                out.resize(out.len() + padding(member.size), 0);
            }
        }
    }
    out.extend(END);
    out
}

/// The blobs of an image archive by digest, and each image's layers: blob and diff_id.
fn layers(image: &Path) -> Vec<(Vec<u8>, String)> {
    let blobs: BTreeMap<String, Vec<u8>> = read_whole(&fs::read(image).unwrap())
        .items
        .into_iter()
        .filter_map(|item| match item {
            Item::Member(member, data) => Some((String::from_utf8(member.name).unwrap(), data)),
            Item::Global(_) => None,
        })
        .collect();
    let json = |name: &str| -> serde_json::Value { serde_json::from_slice(&blobs[name]).unwrap() };
    let blob = |descriptor: &serde_json::Value| {
        format!("blobs/{}", descriptor["digest"].as_str().unwrap().replace(':', "/"))
    };
    let manifest = json(&blob(&json("index.json")["manifests"][0]));
    let config = json(&blob(&manifest["config"]));
    let diff_ids = config["rootfs"]["diff_ids"].as_array().unwrap().clone();
    let layers = manifest["layers"].as_array().unwrap();
    assert_eq!(layers.len(), diff_ids.len());
    layers
        .iter()
        .zip(diff_ids)
        .map(|(layer, diff_id)| {
            let mut tar = Vec::new();
            let mut decoder = flate2::read::MultiGzDecoder::new(blobs[&blob(layer)].as_slice());
            decoder.read_to_end(&mut tar).unwrap();
            (tar, diff_id.as_str().unwrap().into())
        })
        .collect()
}

#[test]
fn clamped_layers_have_the_diff_ids_that_buildkit_gives() {
    let Some(root) = shared("corpus/pairs") else { return };
    let mut count = 0;
    for (plain, rewritten) in [
        ("docker-small-plain", "docker-small-rw0"),
        ("docker-awkward-plain", "docker-awkward-rw0"),
        ("docker-dup-plain", "docker-dup-rw0"),
        ("tiny-plain-1", "tiny-rw0-named"),
        ("tiny-plain-2", "tiny-rw0-named"),
    ] {
        let [plain_layers, rewritten_layers] =
            [plain, rewritten].map(|name| layers(&root.join(format!("{name}.tar"))));
        assert_eq!(plain_layers.len(), rewritten_layers.len());
        for (i, ((tar, diff_id), (expected_tar, expected))) in
            plain_layers.iter().zip(&rewritten_layers).enumerate()
        {
            let sha256 = |data: &[u8]| Digest::of(Algorithm::Sha256, data).to_string();
            assert_eq!(sha256(tar), *diff_id);
            let clamped = clamp(tar);
            let differs = clamped.iter().zip(expected_tar).position(|(a, b)| a != b);
            assert_eq!(sha256(&clamped), *expected, "{plain} layer {i} differs at {differs:?}");
            assert_eq!(clamp(expected_tar), *expected_tar, "{rewritten} layer {i} is a fixed point");
            count += 1;
        }
    }
    eprintln!("{count} layers rewritten as BuildKit does");
}

#[test]
fn real_layers_raise_no_warning() {
    let Some(root) = shared("corpus") else { return };
    let mut count = 0;
    let mut raised = BTreeMap::new();
    for folder in ["good", "pairs"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if !name.ends_with(".tar") {
                continue;
            }
            let mut archives: Vec<Vec<u8>> = vec![fs::read(&path).unwrap()];
            let blobs = read_whole(&archives[0]).items.into_iter().filter_map(|item| match item {
                Item::Member(_, data) => Some(data),
                Item::Global(_) => None,
            });
            archives.extend(blobs.filter_map(|blob| decode(&blob)));
            for archive in archives {
                count += 1;
                let seen = walk(&archive);
                // umoci insert writes layers without padding and end marker.
                let by_umoci = |id: &str| name.contains("umoci") && id == "truncated-padding";
                for id in seen
                    .anomalies
                    .iter()
                    .filter(|a| a.kind.grade() > Grade::Note)
                    .map(|a| a.kind.id().trim_start_matches("tar."))
                    .filter(|id| !by_umoci(id))
                {
                    raised.entry((name.clone(), id)).or_insert(0_u32);
                }
            }
        }
    }
    eprintln!("{count} real archives and layers");
    assert!(raised.is_empty(), "{:#?}", raised.keys());
}

/// What damage to an outer archive or a layer must show, where it is the tar stream that is damaged: the worst grade,
/// and an id for it.
const DAMAGED: [(&str, Option<Grade>, &str); 13] = [
    ("00-good.tar", None, ""),
    ("04a-trunc-25pct.tar", Some(Grade::Error), "truncated-body"),
    ("04c-trunc-before-index.tar", Some(Grade::Warning), "end-marker-missing"),
    ("04e-no-eof-blocks.tar", Some(Grade::Warning), "end-marker-missing"),
    ("04g-trunc-in-padding.tar", Some(Grade::Warning), "truncated-padding"),
    ("10e-name.tar", Some(Grade::Warning), "path-empty"),
    ("17i-layer-tar-trailing.tar", Some(Grade::Warning), "data-after-end"),
    ("17k-layer-tar-bad-checksum.tar", Some(Grade::Error), "header-checksum"),
    ("17m-layer-evil-names.tar", Some(Grade::Warning), "path-parent"),
    ("17o-layer-size-2p62.tar", Some(Grade::Error), "truncated-body"),
    ("17q-layer-200k-entries.tar", None, ""),
    ("21k-good-trailing.tar", Some(Grade::Warning), "data-after-end"),
    ("22a-entry-size-2p62.tar", Some(Grade::Error), "truncated-body"),
];

#[test]
fn damaged_archives_are_graded_as_expected() {
    let Some(root) = shared("corpus/bad") else { return };
    for (name, expected, id) in DAMAGED {
        let archive = fs::read(root.join(name)).unwrap();
        let mut whole = Whole::default();
        Walker::walk(&Limits::default(), &archive, &mut whole);
        let blobs = whole.items.into_iter().filter_map(|item| match item {
            Item::Member(_, data) => decode(&data),
            Item::Global(_) => None,
        });
        let told: Vec<Walked> = std::iter::once(archive.clone()).chain(blobs).map(|tar| walk(&tar)).collect();
        let worst = told.iter().filter_map(worst).max().filter(|grade| *grade > Grade::Note);
        assert_eq!(worst, expected, "{name}");
        assert!(id.is_empty() || told.iter().any(|seen| ids(seen).contains(&id)), "{name}: {id}");
    }
}

/// A blob as a tar stream, if it is one.
fn decode(blob: &[u8]) -> Option<Vec<u8>> {
    let tar = match blob {
        [0x1f, 0x8b, ..] => {
            let mut tar = Vec::new();
            flate2::read::MultiGzDecoder::new(blob).read_to_end(&mut tar).ok()?;
            tar
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => zstd::decode_all(blob).ok()?,
        _ => blob.to_vec(),
    };
    (tar.len() >= 1024 && tar[257..262] == *b"ustar").then_some(tar)
}

/// Archives that Go's own writer made (golang/go src/archive/tar/writer_test.go), in all three dialects.
const WRITTEN_BY_GO: [&str; 12] = [
    "file-and-dir.tar",
    "gnu-not-utf8.tar",
    "gnu-utf8.tar",
    "hardlink.tar",
    "pax-global-records.tar",
    "pax-records.tar",
    "trailing-slash.tar",
    "ustar-file-devs.tar",
    "ustar.tar",
    "writer-big-long.tar",
    "writer-big.tar",
    "writer.tar",
];

#[test]
fn headers_that_go_wrote_are_written_alike() {
    let Some(root) = shared("hostile/go") else { return };
    for name in WRITTEN_BY_GO {
        let archive = fs::read(root.join(name)).unwrap();
        // Two of them lack their huge bodies, so the walk may fail at their end.
        let mut whole = Whole::default();
        Walker::walk(&Limits::default(), &archive, &mut whole);
        assert!(!whole.items.is_empty(), "{name}");
        for item in whole.items {
            let (start, blocks) = match item {
                // Go's reader names such a header by its path record, so it comes out under that name.
                Item::Global(header) if header.records.iter().any(|(_, path)| *path == header.name) => {
                    continue;
                }
                Item::Global(header) => (header.header_offset, encode_global(&header).unwrap()),
                Item::Member(member, _) => (member.header_offset, encode(&member).unwrap()),
            };
            let original = &archive[start as usize..][..blocks.len()];
            assert_eq!(blocks, original, "{name} @ {start:#x}");
        }
    }
}
