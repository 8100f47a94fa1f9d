//! The shape of the code, read from its text: who may use whom, where other crates live, who may print and exit.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The modules from the bottom up: each may use those on lines above its own, and those on its own line.
const LAYERS: &[&[&str]] = &[
    &["grade", "limits", "escape", "observe", "rfc3339"],
    &["location"],
    &["error"],
    &["digest", "media", "place"],
    &["codec", "json", "tar"],
    &["stack"],
    &["archive"],
    &["image"],
    &["rules"],
    &["measure"],
    &["ladder", "build", "registry"],
    &["verify"],
    &["inspect", "policy", "shard"],
    &["diff", "normalize"],
    &["report"],
    &["api"],
    &["cli"],
];

/// Modules that may use only a few, whatever the layers say.
const ONLY: &[(&str, &[&str])] = &[
    ("build", &["error", "location", "limits", "observe", "escape", "grade", "digest", "place"]),
    ("rules", &["error", "escape", "grade", "json", "tar", "image", "digest", "stack", "rfc3339"]),
];

/// Where another crate may be named.
const HOMES: &[(&str, &[&str])] = &[
    ("memmap2", &["archive"]),
    ("tempfile", &["archive", "normalize", "build", "cli"]),
    ("sha2", &["digest"]),
    ("zlib_rs", &["codec"]),
    ("zstd", &["codec", "cli"]),
    ("bzip2", &["codec"]),
    ("lzma_rust2", &["codec"]),
    ("crc32fast", &["codec"]),
    ("memchr", &["archive", "tar"]),
    ("base64", &["image", "normalize", "report"]),
    ("rayon", &["measure", "codec"]),
    ("globset", &["verify", "diff", "cli", "report"]),
    ("clap", &["cli"]),
    ("comfy_table", &["cli", "report"]),
    ("indicatif", &["cli"]),
    ("signal_hook", &["cli"]),
    ("similar", &["diff"]),
    ("libc", &["archive", "cli", "build"]),
    ("reqwest", &["registry"]),
    ("oci_spec", &["registry"]),
];

const MOST_LINES: usize = 600;

struct SourceFile {
    path: String,
    /// The first part of the path below `src`: the module it belongs to.
    module: String,
    text: String,
    /// The text before the unit tests, without comments.
    code: String,
}

fn sources() -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut files) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
                let module = path.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
                let tests = text.match_indices("#[cfg(test)]\nmod ").map(|(at, _)| at);
                let inline = |at: &usize| text[*at..].lines().nth(1).unwrap().ends_with('{');
                let before_tests = &text[..tests.into_iter().find(inline).unwrap_or(text.len())];
                let lines = before_tests.lines().map(|line| line.split("//").next().unwrap());
                let code = if ["/tests.rs", "/testing.rs"].iter().any(|name| path.ends_with(name)) {
                    String::new()
                } else {
                    lines.collect::<Vec<_>>().join("\n")
                };
                files.push(SourceFile { path, module, text, code });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// The modules of this crate that a file names: in `use crate::{…}` trees and in paths.
fn used(code: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        // `$crate` in a macro is whoever calls it.
        if code[..at].ends_with('$') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => drop(used.insert(identifier(rest))),
            Some(tree) => used.extend(first_level(tree)),
        }
    }
    used
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The first identifier of each branch of a `use` tree, up to its closing brace.
fn first_level(tree: &str) -> Vec<String> {
    let (mut depth, mut names, mut fresh) = (0, Vec::new(), true);
    for (at, c) in tree.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if fresh && c.is_alphabetic() => {
                names.push(identifier(&tree[at..]));
                fresh = false;
            }
            _ => {}
        }
    }
    names
}

fn complain(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn imports_run_one_way() {
    let rank: BTreeMap<&str, usize> = LAYERS
        .iter()
        .enumerate()
        .flat_map(|(rank, names)| names.iter().map(move |name| (*name, rank)))
        .collect();
    let mut wrong = Vec::new();
    for file in sources().iter().filter(|file| !matches!(file.module.as_str(), "lib" | "main")) {
        let Some(own) = rank.get(file.module.as_str()) else {
            wrong.push(format!("{}: {} is in no layer", file.path, file.module));
            continue;
        };
        let only = ONLY.iter().find(|(module, _)| *module == file.module).map(|(_, only)| *only);
        for used in used(&file.code) {
            let Some(theirs) = rank.get(used.as_str()) else { continue };
            let own_module = used == file.module;
            if !own_module && (theirs > own || only.is_some_and(|only| !only.contains(&used.as_str()))) {
                wrong.push(format!("{} uses {used}", file.path));
            }
        }
    }
    complain(&wrong);
}

#[test]
fn other_crates_have_one_home() {
    let mut wrong = Vec::new();
    for file in sources() {
        for (name, homes) in HOMES {
            let named = file.code.match_indices(name).any(|(at, _)| {
                let before = file.code[..at].chars().next_back();
                let path = file.code[at + name.len()..].starts_with("::");
                path && !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':'))
            });
            // A module of ours may have a crate's name; its own files say `super::` or `crate::` to it.
            if named && !homes.contains(&file.module.as_str()) {
                wrong.push(format!("{} names the crate {name}, whose home is {homes:?}", file.path));
            }
        }
    }
    complain(&wrong);
}

#[test]
fn only_the_command_line_prints_and_exits() {
    let mut wrong = Vec::new();
    for file in sources().iter().filter(|file| !matches!(file.module.as_str(), "cli" | "main")) {
        for word in ["println!", "print!", "eprintln!", "eprint!", "process::exit", "stdout()", "stderr()"] {
            // Asking whether there is a terminal prints nothing.
            if file.code.replace(&format!("{word}.is_terminal()"), "").contains(word) {
                wrong.push(format!("{} says {word}", file.path));
            }
        }
    }
    complain(&wrong);
}

#[test]
fn only_one_module_is_unsafe() {
    let is_unsafe = |code: &str| {
        code.split(|c: char| !"_.-".contains(c) && !c.is_alphanumeric()).any(|word| word == "unsafe")
    };
    let unsafe_files: Vec<String> =
        sources().into_iter().filter(|file| is_unsafe(&file.code)).map(|file| file.path).collect();
    assert_eq!(unsafe_files, ["archive/map.rs"]);
}

#[test]
fn every_file_says_what_it_is_and_holds_one_thing() {
    let mut wrong = Vec::new();
    for file in sources() {
        if !file.text.starts_with("//!") {
            wrong.push(format!("{} does not begin with what it is", file.path));
        }
        let lines = file.text.lines().count();
        if lines > MOST_LINES {
            wrong.push(format!("{} has {lines} lines, the most is {MOST_LINES}", file.path));
        }
    }
    complain(&wrong);
}
