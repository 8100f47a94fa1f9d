//! The reader against RFC 8259, serde_json and the documents of real images; edits and differences by their laws.
#![allow(clippy::arithmetic_side_effects, clippy::print_stderr)]

use std::path::Path;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::limits::Limits;

fn read(raw: &[u8]) -> Parsed {
    parse(raw, &Limits::default())
}

/// Kinds, offsets and pointers of the faults.
fn faults(raw: &[u8]) -> Vec<(FaultKind, u64, String)> {
    read(raw).faults.into_iter().map(|fault| (fault.kind, fault.offset, fault.pointer)).collect()
}

fn only_fault(raw: &[u8]) -> (FaultKind, u64, String) {
    let mut faults = faults(raw);
    assert_eq!(faults.len(), 1, "{}: {faults:?}", String::from_utf8_lossy(raw));
    faults.remove(0)
}

#[test]
fn every_value_knows_its_span() {
    let raw = " {\"a\" : [ true , null,-1.5e+3 ],\t\"b\":\"\\u0041\\\"\"}\n";
    let root = read(raw.as_bytes()).root.unwrap();
    let text = |pointer| &raw[root.pointer(pointer).unwrap().span.clone()];
    assert_eq!(root.span, 1..raw.len() - 1);
    assert_eq!(text("/a"), "[ true , null,-1.5e+3 ]");
    assert_eq!([text("/a/0"), text("/a/1"), text("/a/2")], ["true", "null", "-1.5e+3"]);
    assert_eq!(text("/b"), r#""\u0041\"""#);
    assert_eq!(root.get("b").unwrap().str(), Ok("A\""));
    assert_eq!(&raw[root.field("b").unwrap().span()], r#""b":"\u0041\"""#);
}

#[test]
fn what_is_no_json_is_refused_where_it_breaks() {
    for (raw, offset) in [
        ("", 0),
        (" ", 1),
        ("{\"a\":1,}", 7),
        ("[1,]", 3),
        ("[1 2]", 3),
        ("{a:1}", 1),
        ("{'a':1}", 1),
        ("{\"a\" 1}", 5),
        ("01x", 1),
        ("-", 1),
        ("1.", 2),
        ("1e", 2),
        (".5", 0),
        ("+1", 0),
        ("nul", 3),
        ("NaN", 0),
        ("\"a\nb\"", 2),
        ("\"\\x\"", 2),
        ("\"\\u12g4\"", 5),
        ("\"\\ud800\\u12\"", 11),
        ("\"abc", 4),
        ("[\u{a0}1]", 1),
        ("[1]//", 3),
    ] {
        let (kind, at, _) = only_fault(raw.as_bytes());
        let expected = if raw.starts_with("01") || raw.ends_with("//") {
            FaultKind::TrailingData
        } else {
            FaultKind::Syntax
        };
        assert_eq!((kind, at), (expected, offset), "{raw:?}");
        assert_eq!(read(raw.as_bytes()).root.is_some(), kind == FaultKind::TrailingData, "{raw:?}");
    }
}

#[test]
fn bytes_that_readers_part_on_are_faults() {
    assert_eq!(only_fault(b"\xef\xbb\xbf{}"), (FaultKind::Bom, 0, String::new()));
    assert_eq!(only_fault(b"{\"a\":[\"x\xff\xc3\"]}"), (FaultKind::NotUtf8, 8, "/a/0".to_owned()));
    // One U+FFFD for each byte, as Go's utf8.DecodeRune advances: e2 82 is two bytes of a character of three.
    let root = read(b"\"\xe2\x82x\"").root.unwrap();
    assert_eq!(root.str(), Ok("\u{fffd}\u{fffd}x"));
    assert_eq!(only_fault(b"[1] [2]"), (FaultKind::TrailingData, 4, String::new()));
    assert!(faults(b"[1] \r\n\t").is_empty());
}

#[test]
fn half_a_surrogate_pair_is_a_fault() {
    for (raw, text, offset) in [
        (r#"{"a":"x\ud800"}"#, "x\u{fffd}", 7),
        (r#"{"a":"\udc00"}"#, "\u{fffd}", 6),
        (r#"{"a":"\ud800\u0041"}"#, "\u{fffd}A", 6),
        (r#"{"a":"\ud800\ud83d\ude00"}"#, "\u{fffd}😀", 6),
        (r#"{"a":"\ud800\n"}"#, "\u{fffd}\n", 6),
    ] {
        assert_eq!(only_fault(raw.as_bytes()), (FaultKind::LoneSurrogate, offset, "/a".to_owned()));
        assert_eq!(read(raw.as_bytes()).root.unwrap().get("a").unwrap().str(), Ok(text));
    }
}

#[test]
fn keys_that_are_one_key_to_some_reader_are_faults() {
    use FaultKind::{CaseFoldKey, DuplicateKey};
    let twice = |raw: &str| only_fault(raw.as_bytes());
    assert_eq!(twice(r#"{"a":1,"b":{"k":1,"k":2}}"#), (DuplicateKey, 18, "/b/k".to_owned()));
    assert_eq!(twice(r#"{"a":1,"\u0061":2}"#), (DuplicateKey, 7, "/a".to_owned()));
    assert_eq!(twice(r#"{"size":1,"Size":2}"#), (CaseFoldKey, 10, "/Size".to_owned()));
    assert_eq!(twice("{\"layers\":1,\"layer\u{17f}\":2}"), (CaseFoldKey, 12, "/layerſ".to_owned()));
    assert_eq!(twice("[{\"k\":1,\"\u{212a}\":2}]"), (CaseFoldKey, 8, "/0/\u{212a}".to_owned()));
    assert_eq!(faults(br#"{"a":1,"A":2,"a":3}"#).len(), 2);
    assert_eq!(twice(r#"{"a":{"k":1},"b":{"k":1,"K":[]},"c":[{"k":1},{"k":2}]}"#).2, "/b/K");
}

#[test]
fn keys_of_maps_differ_by_case() {
    for name in ["annotations", "Labels", "Volumes", "ExposedPorts"] {
        assert!(faults(format!(r#"{{"{name}":{{"/Data":"","/data":""}}}}"#).as_bytes()).is_empty(), "{name}");
        assert_eq!(faults(format!(r#"{{"{name}":{{"x":"","x":""}}}}"#).as_bytes()).len(), 1, "{name}");
        assert_eq!(faults(format!(r#"{{"{name}":[{{"x":"","X":""}}]}}"#).as_bytes()).len(), 1, "{name}");
    }
}

#[test]
fn limits_are_exact() {
    let limits = Limits { max_json: 4, max_json_depth: 2, ..Limits::default() };
    let kind =
        |raw: &str| parse(raw.as_bytes(), &limits).faults.first().map(|fault| (fault.kind, fault.offset));
    assert_eq!(kind("1234"), None);
    assert_eq!(kind("12345"), Some((FaultKind::TooLarge, 0)));
    assert_eq!(kind("[[]]"), None);
    assert_eq!(kind("[[["), Some((FaultKind::Depth, 2)));
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(faults(nested(128).as_bytes()).is_empty());
    assert_eq!(only_fault(nested(129).as_bytes()).0, FaultKind::Depth);
}

#[test]
fn hostile_documents_end_soon() {
    let boundless = Limits { max_json: u64::MAX, max_json_depth: usize::MAX, ..Limits::default() };
    let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert_eq!(parse(deep(10_000).as_bytes(), &boundless).faults[0].kind, FaultKind::Depth);
    assert_eq!(only_fault("{\"a\":".repeat(1_000_000).as_bytes()).0, FaultKind::Depth);
    let (left, right) = (deep(1000), deep(999));
    let [a, b] = [&left, &right].map(|raw| parse(raw.as_bytes(), &boundless).root.unwrap());
    assert!(!differences(&a, left.as_bytes(), &b, right.as_bytes()).is_empty());

    let crowd = |values: usize| format!("[{}]", vec!["0"; values - 1].join(","));
    let values = 1 << 19;
    assert!(faults(crowd(values).as_bytes()).is_empty());
    assert_eq!(only_fault(crowd(values + 1).as_bytes()), (FaultKind::TooLarge, (1 << 20) - 1, String::new()));

    let keys = |key: fn(usize) -> usize| {
        let fields: Vec<String> = (0..100_000).map(|i| format!("\"k{}\":0", key(i))).collect();
        parse(format!("{{{}}}", fields.join(",")).as_bytes(), &boundless)
    };
    assert!(keys(|i| i).faults.is_empty());
    let repeated = keys(|_| 7);
    assert_eq!((repeated.faults.len(), repeated.unlisted), (100, 99_899));
}

/// A document as text, with random white space and spelling. Numbers are such that equal values are equally written.
fn document() -> impl Strategy<Value = String> {
    let space = || select(vec!["", "", "", " ", "\n  ", "\t\r"]);
    let text = || {
        prop_oneof![
            select(vec!["a", "b", "A", "k", "ſ", "", "a/b", "~"]).prop_map(quote),
            "\\PC{0,4}".prop_map(|text| quote(&text)),
            select(vec![r#""\u00e9\/\b""#, r#""\ud83d\ude00""#, r#""\\\"""#]).prop_map(str::to_owned),
        ]
    };
    let leaf = prop_oneof![
        select(vec!["null", "true", "false", "0", "-1", "12.5", "1e9", "18446744073709551616"])
            .prop_map(str::to_owned),
        any::<u64>().prop_map(|number| number.to_string()),
        text(),
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        let element = (space(), inner.clone(), space()).prop_map(|(a, value, b)| format!("{a}{value}{b}"));
        let field = (space(), text(), space(), space(), inner)
            .prop_map(|(a, key, b, c, value)| format!("{a}{key}{b}:{c}{value}"));
        prop_oneof![
            proptest::collection::vec(element, 0..5).prop_map(|all| format!("[{}]", all.join(","))),
            proptest::collection::vec(field, 0..5).prop_map(|all| format!("{{{}}}", all.join(","))),
        ]
    })
}

/// The same value as serde_json has it: of duplicate keys the last.
fn as_serde(node: &Node) -> serde_json::Value {
    use serde_json::Value as V;
    match &node.value {
        Value::Null => V::Null,
        Value::Bool(value) => V::Bool(*value),
        Value::Number(text) => V::Number(text.parse().unwrap()),
        Value::String(text) => V::String(text.clone()),
        Value::Array(elements) => elements.iter().map(as_serde).collect(),
        Value::Object(fields) => {
            V::Object(fields.iter().map(|field| (field.key.clone(), as_serde(&field.node))).collect())
        }
    }
}

/// serde_json takes what we take without fault and reads the same. It parts from us only on repeated keys, which it
/// takes, and on numbers no f64 holds, which it refuses; its depth limit is one less.
fn agrees_with_serde(raw: &[u8]) -> Result<(), TestCaseError> {
    let ours = read(raw);
    let clean = ours
        .faults
        .iter()
        .all(|fault| matches!(fault.kind, FaultKind::DuplicateKey | FaultKind::CaseFoldKey));
    match serde_json::from_slice::<serde_json::Value>(raw) {
        Ok(theirs) => {
            prop_assert!(clean, "{:?}", ours.faults);
            prop_assert_eq!(ours.root.as_ref().map(as_serde), Some(theirs));
        }
        Err(error) if error.to_string().starts_with("number out of range") => {}
        Err(error) => prop_assert!(!clean || ours.root.is_none(), "{error}"),
    }
    prop_assert!(ours.root.is_some() || !ours.faults.is_empty());
    prop_assert!(ours.faults.iter().all(|fault| fault.offset <= raw.len() as u64));
    Ok(())
}

/// Every node of a document, the root first.
fn nodes(root: &Node) -> Vec<&Node> {
    let mut all = vec![root];
    let mut next = 0;
    while let Some(node) = all.get(next).copied() {
        match &node.value {
            Value::Array(elements) => all.extend(elements),
            Value::Object(fields) => all.extend(fields.iter().map(|field| &field.node)),
            _ => {}
        }
        next += 1;
    }
    all
}

proptest! {
    #[test]
    fn reads_what_serde_reads(raw in document()) {
        agrees_with_serde(raw.as_bytes())?;
    }

    #[test]
    fn refuses_what_serde_refuses(
        raw in document(),
        bends in proptest::collection::vec(
            (any::<Index>(), select(b"{}[]\",:\\u0d8-+.eEtn \n\0\xff\xc3\xa9\xef".to_vec()), 0..3u8),
            1..4,
        ),
    ) {
        let mut raw = raw.into_bytes();
        for (index, byte, how) in bends {
            let at = index.index(raw.len() + 1);
            match how {
                0 => raw.insert(at, byte),
                1 if at < raw.len() => raw[at] = byte,
                _ if at < raw.len() => drop(raw.remove(at)),
                _ => {}
            }
        }
        agrees_with_serde(&raw)?;
    }

    #[test]
    fn agrees_with_serde_on_anything(
        soup in proptest::collection::vec(
            select(vec!["{", "}", "[", "]", "\"", "\"a\"", ":", ",", "\\u", "\\ud800", "\\udc00", "00", "1", "-", ".", "e",
                "true", "null", " "]),
            0..12,
        ),
    ) {
        agrees_with_serde(soup.concat().as_bytes())?;
    }

    #[test]
    fn quote_is_read_back(text in any::<String>()) {
        let node = read(quote(&text).as_bytes()).root.unwrap();
        prop_assert_eq!(node.str(), Ok(text.as_str()));
    }

    #[test]
    fn the_span_of_a_node_reads_as_the_node(raw in document(), index in any::<Index>()) {
        let root = read(raw.as_bytes()).root.unwrap();
        let all = nodes(&root);
        let node = all[index.index(all.len())];
        let alone = read(&raw.as_bytes()[node.span.clone()]).root.unwrap();
        prop_assert_eq!(as_serde(&alone), as_serde(node));
        // Of duplicate keys a pointer names the last.
        if read(raw.as_bytes()).faults.iter().all(|fault| fault.kind == FaultKind::CaseFoldKey) {
            prop_assert_eq!(root.pointer(&root.pointer_at(node.span.start)), Some(node));
        }
    }

    #[test]
    fn a_replaced_value_is_all_that_changes(raw in document(), index in any::<Index>(), json in document()) {
        let root = read(raw.as_bytes()).root.unwrap();
        let all = nodes(&root);
        let node = all[index.index(all.len())];
        let mut edits = Edits::new();
        edits.replace(node, json.as_bytes());
        let out = edits.apply(raw.as_bytes()).unwrap();
        prop_assert_eq!(&out, &[&raw.as_bytes()[..node.span.start], json.as_bytes(), &raw.as_bytes()[node.span.end..]].concat());
        let changed = read(&out).root.unwrap();
        let mut moved = nodes(&changed).into_iter().filter(|moved| moved.span.start == node.span.start);
        let value = read(json.as_bytes()).root.unwrap();
        prop_assert!(moved.any(|moved| as_serde(moved) == as_serde(&value)));
    }

    #[test]
    fn what_is_not_removed_stays(raw in document(), index in any::<Index>(), mask in any::<u8>()) {
        let raw = format!("[0, {raw}]");
        let root = read(raw.as_bytes()).root.unwrap();
        let containers: Vec<_> = nodes(&root).into_iter().filter(|node| node.array().is_ok()).collect();
        let array = containers[index.index(containers.len())];
        let doomed = |i: usize| mask >> (i % 8) & 1 == 1;
        let mut edits = Edits::new();
        edits.remove_elements(array, doomed);
        let out = edits.apply(raw.as_bytes()).unwrap();
        let changed = read(&out).root.unwrap();
        let left = nodes(&changed).into_iter().find(|node| node.span.start == array.span.start && node.array().is_ok());
        let kept = |(i, element): (usize, &Node)| (!doomed(i)).then(|| raw[element.span.clone()].to_owned());
        let expected: Vec<String> = array.array().unwrap().iter().enumerate().filter_map(kept).collect();
        let out = String::from_utf8(out).unwrap();
        let actual: Vec<String> =
            left.unwrap().array().unwrap().iter().map(|element| out[element.span.clone()].to_owned()).collect();
        prop_assert_eq!(actual, expected);
        prop_assert!(out.starts_with(&raw[..=array.span.start]) && out.ends_with(&raw[array.span.end - 1..]));
    }

    #[test]
    fn removed_fields_are_gone(raw in document(), key in select(vec!["a", "b", "A", "k", ""])) {
        let root = read(raw.as_bytes()).root.unwrap();
        let mut edits = Edits::new();
        edits.remove_fields(&root, |name| name == key);
        let out = edits.apply(raw.as_bytes()).unwrap();
        let mut expected = as_serde(&root);
        if let Some(fields) = expected.as_object_mut() {
            fields.remove(key);
        }
        prop_assert_eq!(serde_json::from_slice::<serde_json::Value>(&out).unwrap(), expected);
    }

    #[test]
    fn documents_differ_when_their_values_do(a in document(), b in document()) {
        let [left, right] = [&a, &b].map(|raw| read(raw.as_bytes()).root.unwrap());
        let there = differences(&left, a.as_bytes(), &right, b.as_bytes());
        let back = differences(&right, b.as_bytes(), &left, a.as_bytes());
        prop_assert_eq!(there.listed.is_empty(), as_serde(&left) == as_serde(&right));
        prop_assert_eq!(there.listed.len(), back.listed.len());
        prop_assert_eq!(there.formatting_only, back.formatting_only);
        prop_assert!(differences(&left, a.as_bytes(), &left, a.as_bytes()).is_empty());
    }

    #[test]
    fn a_replaced_leaf_is_the_difference(raw in document(), index in any::<Index>()) {
        prop_assume!(read(raw.as_bytes()).faults.is_empty());
        let root = read(raw.as_bytes()).root.unwrap();
        let all = nodes(&root);
        let node = all[index.index(all.len())];
        let mut edits = Edits::new();
        edits.replace_str(node, "not in any generated document");
        let out = edits.apply(raw.as_bytes()).unwrap();
        let changed = read(&out).root.unwrap();
        let found = differences(&root, raw.as_bytes(), &changed, &out).listed;
        prop_assert_eq!(found.len(), 1);
        prop_assert_eq!(root.pointer(&found[0].pointer), Some(node));
        prop_assert_eq!(found[0].right.as_deref(), Some("\"not in any generated document\""));
    }
}

/// The documents of the tarballs in a folder of the shared corpus: file, member, bytes. Empty where it is not there.
fn corpus(folder: &str) -> Vec<(String, String, Vec<u8>)> {
    use std::io::Read;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus").join(folder);
    let Ok(files) = folder.read_dir() else {
        eprintln!("skipped: the shared corpus is not beside the checkout");
        return Vec::new();
    };
    let mut documents = Vec::new();
    for path in files.map(|file| file.unwrap().path()).filter(|path| path.extension() == Some("tar".as_ref()))
    {
        let mut archive = tar::Archive::new(std::fs::File::open(&path).unwrap());
        let Ok(members) = archive.entries() else { continue };
        for mut member in members.map_while(Result::ok).filter(|member| member.size() < 1 << 20) {
            let mut raw = Vec::new();
            let name = String::from_utf8_lossy(&member.path_bytes()).into_owned();
            let whole = member.read_to_end(&mut raw).is_ok();
            if whole && (raw.starts_with(b"{") || raw.starts_with(b"[") || raw.starts_with(b"\xef\xbb\xbf{"))
            {
                documents.push((path.file_name().unwrap().to_string_lossy().into_owned(), name, raw));
            }
        }
    }
    documents
}

#[test]
fn real_documents_have_no_fault() {
    for (file, member, raw) in corpus("good").into_iter().chain(corpus("pairs")) {
        let parsed = read(&raw);
        assert_eq!(parsed.faults, [], "{file} {member}");
        assert_eq!(
            as_serde(&parsed.root.unwrap()),
            serde_json::from_slice::<serde_json::Value>(&raw).unwrap(),
            "{file} {member}"
        );
    }
}

#[test]
fn damaged_documents_have_the_fault_that_was_planted() {
    let documents = corpus("bad");
    if documents.is_empty() {
        return;
    }
    let of_file = |file| documents.iter().filter(move |(name, ..)| name == file).map(|(.., raw)| read(raw));
    for (file, kind) in [
        ("14a-json-nest-10k-index.tar", FaultKind::Depth),
        ("14e-json-bom.tar", FaultKind::Bom),
        ("14g-json-lone-surrogate.tar", FaultKind::LoneSurrogate),
    ] {
        assert!(of_file(file).any(|parsed| parsed.faults.iter().any(|fault| fault.kind == kind)), "{file}");
    }
    let manifests = of_file("14i-json-case.tar").filter_map(|parsed| parsed.root);
    let manifest = manifests.into_iter().find(|root| root.get("LAYERS").is_some()).unwrap();
    let known = ["schemaVersion", "mediaType", "artifactType", "config", "layers", "subject", "annotations"];
    let keys: Vec<_> = manifest.misspelt(&known).into_iter().map(|field| field.key.as_str()).collect();
    assert_eq!(keys, ["Config", "LAYERS"]);
}
