//! Our tar walk against the `tar` crate: where the two list different members, an anomaly must say so, and of those
//! that are no errors only the ones in a list of known differences, each for certain fields.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use repro_build::{
    grade::Grade,
    tar::{AnomalyKind, Member},
};
use repro_build_fuzz::{checksums, walked::walk};

/// What the two may tell differently.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Field {
    Name,
    Link,
    Size,
    /// Which members there are, and so everything.
    Members,
}

/// Where the `tar` crate 0.4 goes its own way though Go, which we follow, raises no error.
const KNOWN: &[(AnomalyKind, &[Field], &str)] = &[
    (AnomalyKind::HeaderOnlyWithSize, &[Field::Members], "it skips data behind members that have none"),
    (AnomalyKind::PaxDuplicateKey, &[Field::Members], "of two sizes it takes the first"),
    (
        AnomalyKind::PaxNewline,
        &[Field::Members],
        "it splits records at newlines, so that a size may be missed",
    ),
    (AnomalyKind::GnuLongEmpty, &[Field::Name, Field::Link], "it takes the empty name"),
    (AnomalyKind::GnuLongNul, &[Field::Name, Field::Link], "it keeps what is behind a NUL"),
    (AnomalyKind::GnuPrefix, &[Field::Name], "it applies no prefix where the magic is GNU's"),
    (AnomalyKind::Sparse, &[Field::Name, Field::Size], "it knows no PAX sparse formats"),
];

/// Name, type flag, size, link target.
type Row = (Vec<u8>, u8, u64, Vec<u8>);

fn theirs(archive: &[u8]) -> Result<Vec<Row>, std::io::Error> {
    let mut rows = Vec::new();
    for entry in tar::Archive::new(archive).entries()? {
        let entry = entry?;
        let kind = entry.header().entry_type();
        match kind.as_byte() {
            // It lists global headers as members.
            b'g' => continue,
            // And extension headers without magic, which it then does not apply.
            b'x' | b'L' | b'K' => return Err(std::io::Error::other("an extension header as a member")),
            _ => {}
        }
        // It applies a prefix only where ustar's version is 00, which other readers do not look at.
        let magic = &entry.header().as_bytes()[257..265];
        if magic.starts_with(b"ustar\0") && !magic.ends_with(b"00") {
            return Err(std::io::Error::other("a version of ustar that is none"));
        }
        let data = if (b'1'..=b'6').contains(&kind.as_byte()) { 0 } else { entry.size() };
        // Of the NULs that end a long name it takes one away, others all.
        let text = |bytes: &[u8]| {
            bytes[..bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)].to_vec()
        };
        let link = entry.link_name_bytes().map(|link| text(&link)).unwrap_or_default();
        rows.push((text(&entry.path_bytes()), kind.as_byte(), data, link));
    }
    Ok(rows)
}

fn ours(member: &Member) -> Row {
    let flag = if member.typeflag == 0 { b'0' } else { member.typeflag };
    (member.name.clone(), flag, member.size, member.link.clone())
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    checksums::mutate(data, size, max_size, seed)
});

fn shown((name, typeflag, size, link): &Row) -> String {
    format!("{} {} {size} {}\n", name.escape_ascii(), typeflag.escape_ascii(), link.escape_ascii())
}

/// The fields in which two listings differ.
fn parted(ours: &[Row], theirs: &[Row]) -> Vec<Field> {
    let differs = |differ: fn(&Row, &Row) -> bool| ours.iter().zip(theirs).any(|(a, b)| differ(a, b));
    [
        (ours.len() != theirs.len() || differs(|a, b| a.1 != b.1), Field::Members),
        (differs(|a, b| a.0 != b.0), Field::Name),
        (differs(|a, b| a.2 != b.2), Field::Size),
        (differs(|a, b| a.3 != b.3), Field::Link),
    ]
    .into_iter()
    .filter_map(|(differs, field)| differs.then_some(field))
    .collect()
}

fuzz_target!(|data: &[u8]| {
    let seen = walk(data);
    if seen.anomalies.iter().any(|anomaly| anomaly.kind.grade() == Grade::Error) {
        return;
    }
    // What the crate refuses it does not silently list otherwise.
    let Ok(theirs) = theirs(data) else { return };
    let ours: Vec<Row> = seen.members.iter().map(ours).collect();
    let told = |kind| seen.anomalies.iter().any(|anomaly| anomaly.kind == kind);
    let known: Vec<Field> =
        KNOWN.iter().filter(|row| told(row.0)).flat_map(|row| row.1.iter().copied()).collect();
    let silent = |field: &Field| !known.contains(field) && !known.contains(&Field::Members);
    let parted = parted(&ours, &theirs);
    let show = |rows: &[Row]| rows.iter().map(shown).collect::<String>();
    assert!(
        !parted.iter().any(silent),
        "{parted:?}\nours:\n{}the crate's:\n{}{:#?}",
        show(&ours),
        show(&theirs),
        seen.anomalies
    );
});
