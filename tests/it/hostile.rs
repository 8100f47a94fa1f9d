//! The tar reader and writer against other readers and writers: third-party archives, hostile ones, real layers.
//!
//! Needs the test data beside the checkout (`../shared`); says so and passes where it is not there.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use repro_build::grade::Grade;
use repro_build::limits::Limits;
use repro_build::grade::Grade;
use repro_build::tar::{
    Anomaly, Audit, END, End, GlobalHeader, Member, Outcome, Sink, Timestamp, Walker, encode,
    encode_global, padding, raw_line,
};

/// What a walk told.
#[derive(Default)]
struct Seen {
    members: Vec<Member>,
    anomalies: Vec<Anomaly>,
    audit: Audit,
}

impl Sink for Seen {
    fn member(&mut self, member: Member) {
        let mut audit = std::mem::take(&mut self.audit);
        audit.member(&member, self);
        self.audit = audit;
        self.members.push(member);
    }

    fn anomaly(&mut self, anomaly: Anomaly) {
        self.anomalies.push(anomaly);
    }
}

impl Seen {
    fn worst(&self) -> Option<Grade> {
        self.anomalies.iter().map(|anomaly| anomaly.kind.grade()).max()
    }

    fn ids(&self) -> Vec<&'static str> {
        let mut ids: Vec<_> = self.anomalies.iter().map(|anomaly| anomaly.kind.id()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    fn listing(&self) -> Vec<String> {
        self.members.iter().map(raw_line).collect()
    }
}

fn walk(archive: &[u8]) -> (Seen, Outcome) {
    let mut seen = Seen::default();
    let outcome = Walker::walk(&Limits::default(), archive, &mut seen);
    let audit = std::mem::take(&mut seen.audit);
    audit.finish(&mut seen);
    assert_eq!(outcome.bytes.total(), archive.len() as u64, "every byte is accounted for");
    (seen, outcome)
}

/// The shared test data, or `None` with a word about it.
fn shared(what: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(what);
    if !path.exists() {
        let mut message = format!("SKIPPED: no test data at {}\n", path.display());
        message.push_str("these tests need ../shared beside the checkout");
        std::io::Write::write_all(&mut std::io::stderr(), message.as_bytes()).unwrap();
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
        let (seen, _) = walk(&fs::read(root.join(name)).unwrap());
        match (seen.listing() == go, go_ok, seen.worst()) {
            (_, false, Some(Grade::Error)) => refused += 1,
            (true, true, _) => equal += 1,
            (false, true, Some(Grade::Error | Grade::Warning)) => {
                explained.push(format!("{name}: {:?}", seen.ids()))
            }
            (_, _, _) => silent.push(format!(
                "{name}: ours {:#?}\n Go {go:#?} ok {go_ok}\n we say {:#?}",
                seen.listing(),
                seen.anomalies
            )),
        }
    }
    eprintln!(
        "{} archives: {equal} listings equal Go's, {} differ with a finding, {refused} refused by both, {} silently different",
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
        let (seen, outcome) = walk(&fs::read(root.join(file)).unwrap());
        let grade = match seen.worst() {
            Some(Grade::Error) => "fail",
            Some(Grade::Warning) => "warn",
            Some(Grade::Note) | None => "ok",
        };
        count += 1;
        if grade != expect {
            wrong.push(format!(
                "{name}: want {expect}, got {grade} {:?} {:?} ({must})",
                seen.ids(),
                outcome.end
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
        let (seen, _) = walk(&fs::read(root.join(file)).unwrap());
        if seen.anomalies.is_empty() {
            mute.push(format!("{file} ({agree})"));
        }
    }
    assert!(mute.is_empty(), "{mute:#?}");
}
