//! The fixtures: complete tables, and independent readers that agree with them.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use crate::support::{digest, expected, fixtures, tool, verdicts};

/// Names of the archives and layout directories in a folder.
fn archives(folder: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != "EXPECT.tsv").collect()
}

fn size(path: &Path) -> u64 {
    if !path.is_dir() {
        return fs::metadata(path).unwrap().len();
    }
    fs::read_dir(path).unwrap().map(|entry| size(&entry.unwrap().path())).sum()
}

#[test]
fn tables_and_readme_list_every_archive_with_its_digests() {
    let readme = fs::read_to_string(fixtures("README.md")).unwrap();
    let line = |file: &str| {
        let row = format!("| {file} |");
        readme.lines().find(|line| line.starts_with(&row)).unwrap_or_else(|| panic!("README lacks {file}"))
    };
    for folder in ["good", "pairs"] {
        let rows = expected(&fixtures(folder));
        let listed: BTreeSet<String> = rows.iter().map(|row| row.file.clone()).collect();
        assert_eq!(listed, archives(&fixtures(folder)));
        for row in rows {
            let image = row.image_digest.iter().map(|digest| &digest["sha256:".len()..][..12]);
            for digest in image.chain(row.configs.iter().map(String::as_str)) {
                assert!(line(&row.file).contains(digest), "README: {} lacks {digest}", row.file);
            }
            assert_eq!(row.diff_ids.len(), row.entries.len(), "{}", row.file);
        }
    }
    let rows = verdicts(&fixtures("bad"));
    assert_eq!(rows.iter().map(|row| row.file.clone()).collect::<BTreeSet<_>>(), archives(&fixtures("bad")));
    assert!(rows.iter().all(|row| line(&row.file).contains(&row.what)));
}

#[test]
fn small_enough_to_live_in_the_repository() {
    assert!(size(&fixtures("")) < 2_000_000);
}

#[test]
fn pythons_reader_prints_the_same_tables() {
    let (Some(python), Some(_)) = (tool("python3"), tool("zstd")) else { return };
    for folder in ["good", "pairs"] {
        let script = fixtures("expect.py");
        let printed = python.run([script.as_os_str(), fixtures(folder).as_os_str()]);
        assert_eq!(printed, fs::read_to_string(fixtures(folder).join("EXPECT.tsv")).unwrap(), "{folder}");
    }
}

#[test]
fn skopeo_reads_the_same_image_digests() {
    let Some(skopeo) = tool("skopeo") else { return };
    let mut read = 0;
    for row in expected(&fixtures("good")).into_iter().chain(expected(&fixtures("pairs"))) {
        let (Some(wanted), Some("tar")) = (row.image_digest, row.path.extension().and_then(|e| e.to_str()))
        else {
            continue;
        };
        if manifests(&row.path) == 1 {
            let raw = skopeo.run(["inspect", "--raw", &format!("oci-archive:{}", row.path.display())]);
            assert_eq!(digest("sha256", raw.as_bytes()), wanted, "{}", row.file);
            read += 1;
        }
    }
    assert!(read > 20, "only {read} archives were read");
}

/// How many descriptors `index.json` holds; skopeo wants one.
fn manifests(path: &Path) -> usize {
    let mut archive = tar::Archive::new(fs::File::open(path).unwrap());
    let mut entries = archive.entries().unwrap().map(Result::unwrap);
    let mut index =
        entries.find(|entry| entry.path_bytes().trim_ascii().ends_with(b"index.json")).expect("index.json");
    let mut text = String::new();
    index.read_to_string(&mut text).unwrap();
    let index: serde_json::Value = serde_json::from_str(&text).unwrap();
    index["manifests"].as_array().unwrap().len()
}
