//! The tables beside the fixtures: what an independent reader says of each archive.

use std::fs;
use std::path::{Path, PathBuf};

/// What is in a good archive. Digests of configs and layers are the first twelve digits.
#[derive(Debug)]
pub struct Expected {
    pub path: PathBuf,
    pub file: String,
    /// `oci`, `docker` or `oci+docker`.
    pub layout: String,
    /// The first digest that `index.json` names; none without one.
    pub image_digest: Option<String>,
    pub configs: Vec<String>,
    /// Layers of all images together, attestations included.
    pub layers: usize,
    pub diff_ids: Vec<String>,
    /// Members of each layer in `diff_ids`; none where the tar has no proper end.
    pub entries: Vec<Option<u64>>,
}

/// How a damaged or odd archive is to be met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Nothing to say.
    Accept,
    /// Fine, with a warning or note.
    Warn,
    /// A finding that says what is wrong.
    Reject,
}

/// A row of the table of damaged archives.
#[derive(Debug)]
pub struct Verdict {
    pub path: PathBuf,
    pub file: String,
    pub expect: Expect,
    pub what: String,
}

/// A folder of the fixtures.
pub fn fixtures(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(folder)
}

/// The table of a folder of good archives.
pub fn expected(folder: &Path) -> Vec<Expected> {
    let list = |field: &str| -> Vec<String> {
        field.split(',').filter(|part| !part.is_empty()).map(String::from).collect()
    };
    rows(folder, |path, [file, layout, image_digest, configs, layers, diff_ids, entries]| Expected {
        path,
        file: file.into(),
        layout: layout.into(),
        image_digest: (image_digest != "-").then(|| image_digest.into()),
        configs: list(configs),
        layers: layers.parse().unwrap(),
        diff_ids: list(diff_ids),
        entries: list(entries).iter().map(|count| count.parse().ok()).collect(),
    })
}

/// The table of a folder of damaged archives.
pub fn verdicts(folder: &Path) -> Vec<Verdict> {
    rows(folder, |path, [file, expect, what]| Verdict {
        path,
        file: file.into(),
        expect: match expect {
            "accept" => Expect::Accept,
            "warn" => Expect::Warn,
            "reject" => Expect::Reject,
            other => panic!("{file}: {other} is no expectation"),
        },
        what: what.into(),
    })
}

fn rows<T, const N: usize>(folder: &Path, row: impl Fn(PathBuf, [&str; N]) -> T) -> Vec<T> {
    let table = fs::read_to_string(folder.join("EXPECT.tsv")).unwrap();
    let fields = table.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>());
    fields.map(|fields| row(folder.join(fields[0]), fields.try_into().expect("a whole row"))).collect()
}
