//! Tests of the walk, the audit and the writer together, on archives made block by block.
#![allow(clippy::arithmetic_side_effects)]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::samples::*;
use super::*;
use crate::grade::Grade;
use crate::limits::Limits;

/// All that a walk and an audit told, with data in one piece for each member.
#[derive(Clone, Debug, Default, PartialEq)]
struct Told {
    members: Vec<Member>,
    data: Vec<Vec<u8>>,
    ended: usize,
    globals: Vec<GlobalHeader>,
    anomalies: Vec<Anomaly>,
    pieces: usize,
}

impl Sink for Told {
    fn member(&mut self, member: Member) {
        assert_eq!(self.members.len(), self.ended, "the member before is complete");
        self.members.push(member);
        self.data.push(Vec::new());
    }

    fn data(&mut self, data: &[u8]) {
        self.pieces += 1;
        self.data.last_mut().unwrap().extend_from_slice(data);
    }

    fn end_member(&mut self) {
        self.ended += 1;
    }

    fn global(&mut self, header: GlobalHeader) {
        self.globals.push(header);
    }

    fn anomaly(&mut self, anomaly: Anomaly) {
        self.anomalies.push(anomaly);
    }
}

impl Told {
    fn ids(&self) -> BTreeSet<&'static str> {
        self.anomalies.iter().map(|anomaly| anomaly.kind.id().trim_start_matches("tar.")).collect()
    }
}

fn walk(archive: &[u8]) -> (Told, Outcome) {
    walk_with(&Limits::default(), archive)
}

fn walk_with(limits: &Limits, archive: &[u8]) -> (Told, Outcome) {
    let mut told = Told::default();
    let outcome = Walker::walk(limits, archive, &mut told);
    assert_eq!(outcome.bytes.total(), archive.len() as u64);
    assert_eq!(outcome.members, told.members.len() as u64);
    (told, outcome)
}

/// Ids that an archive raises, in walk and audit.
fn ids(archive: &[u8]) -> BTreeSet<&'static str> {
    let (told, _) = walk(archive);
    let mut audit = Audit::new();
    let mut anomalies = told.anomalies.clone();
    told.members.iter().for_each(|member| audit.member(member, &mut anomalies));
    audit.finish(&mut anomalies);
    anomalies.iter().map(|anomaly| anomaly.kind.id().trim_start_matches("tar.")).collect()
}

#[test]
fn every_kind_of_anomaly_is_told() {
    let samples = samples();
    for (kind, archive) in &samples {
        assert!(
            ids(archive).contains(kind.id().trim_start_matches("tar.")),
            "{}: {:?}",
            kind.id().trim_start_matches("tar."),
            ids(archive)
        );
    }
    let sampled: BTreeSet<_> =
        samples.iter().map(|(kind, _)| *kind).chain([AnomalyKind::TooManyMembers]).collect();
    let all: BTreeSet<_> = AnomalyKind::ALL.iter().copied().collect();
    assert_eq!(sampled, all);
}

#[test]
fn ids_are_kebab_case_and_stand_once() {
    let ids: BTreeSet<_> = AnomalyKind::ALL.iter().map(|kind| kind.id().trim_start_matches("tar.")).collect();
    assert_eq!(ids.len(), AnomalyKind::ALL.len());
    for kind in AnomalyKind::ALL {
        assert!(
            kind.id().trim_start_matches("tar.").bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'-')),
            "{}",
            kind.id().trim_start_matches("tar.")
        );
        assert!(
            !kind.row().why.ends_with('.') && !kind.row().title.ends_with('.'),
            "{}",
            kind.id().trim_start_matches("tar.")
        );
    }
}

#[test]
fn errors_stop_the_walk_and_the_rest_is_unread() {
    let (told, outcome) = walk(&archive(&[file("a", b"x"), patched("b", &[(124, b"8")]), file("c", b"")]));
    assert_eq!((told.members.len(), outcome.end), (1, End::Failed));
    assert_eq!((outcome.bytes.header, outcome.bytes.body, outcome.bytes.padding), (512, 1, 511));
    assert_eq!(outcome.bytes.unread, 2 * 512 + 1024);
}

#[test]
fn limits_are_told_with_their_value() {
    let limits = Limits { max_members: 2, ..Limits::default() };
    let (told, outcome) = walk_with(&limits, &archive(&[file("a", b""), file("b", b""), file("c", b"")]));
    assert_eq!((told.members.len(), outcome.end), (2, End::Failed));
    assert_eq!(told.ids(), BTreeSet::from(["too-many-members"]));
    assert!(told.anomalies[0].detail.contains("limit of 2"));

    let limits = Limits { max_extension: 11, ..Limits::default() };
    let (told, _) = walk_with(&limits, &archive(&[pax(&[("path", b"abc")]), file("b", b"")]));
    assert_eq!(told.ids(), BTreeSet::from(["extension-too-large"]));
    let (told, _) = walk_with(&limits, &archive(&[pax(&[("path", b"ab")]), file("b", b"")]));
    assert_eq!((told.members[0].name.as_slice(), told.anomalies.len()), (&b"ab"[..], 0));
}

#[test]
fn archives_end_in_many_ways() {
    let a = || file("a", b"");
    for (bytes, end, expected) in [
        (Vec::new(), End::Empty, &[][..]),
        (END.to_vec(), End::Marker, &[]),
        (vec![0; 10_240], End::Marker, &[]),
        (vec![0; 511], End::Failed, &["truncated-header"]),
        (vec![0; 513], End::Failed, &["truncated-header"]),
        ([archive(&[a()]), vec![0; 9_001]].concat(), End::Marker, &[]),
        ([archive(&[a()]), vec![0; 512], vec![1]].concat(), End::Marker, &["data-after-end"]),
        ([a(), vec![0; 512]].concat(), End::HalfMarker, &["end-marker-half"]),
        (a(), End::NoMarker, &["end-marker-missing"]),
        (file("a", b"x")[..513].to_vec(), End::NoMarker, &["truncated-padding"]),
    ] {
        let (told, outcome) = walk(&bytes);
        assert_eq!(outcome.end, end, "{} bytes", bytes.len());
        assert_eq!(told.ids(), expected.iter().copied().collect(), "{} bytes", bytes.len());
    }
}

#[test]
fn a_table_of_contents_behind_the_end_hides_nothing() {
    let toc = file("stargz.index.json", &file("inner", b""));
    let with_toc = [archive(&[file("a", b"")]), toc, END.to_vec()].concat();
    assert_eq!(walk(&with_toc).0.ids(), BTreeSet::from(["toc-after-end"]));
    let with_more = [with_toc, file("b", b"")].concat();
    assert_eq!(walk(&with_more).0.ids(), BTreeSet::from(["toc-after-end", "archive-after-end"]));
    // One that says it is longer than it is could hide anything.
    let cut = &with_more[..with_more.len() - END.len() - 2 * BLOCK];
    assert_eq!(walk(cut).0.ids(), BTreeSet::from(["toc-after-end", "archive-after-end"]));
}

#[test]
fn many_anomalies_of_a_kind_are_counted() {
    let names: Vec<Vec<u8>> = (0..20_000).map(|_| file("a", b"")).collect();
    let (told, _) = walk(&archive(&names));
    let (mut audit, mut anomalies) = (Audit::new(), Vec::<Anomaly>::new());
    told.members.iter().for_each(|member| audit.member(member, &mut anomalies));
    audit.finish(&mut anomalies);
    assert_eq!(anomalies.len() as u64, TOLD_SINGLY + 1);
    assert!(anomalies.last().unwrap().detail.contains("19999 in all"));
}

/// What the audit alone says of members.
fn audited(members: &[Member]) -> BTreeSet<&'static str> {
    let (mut audit, mut anomalies) = (Audit::new(), Vec::<Anomaly>::new());
    members.iter().for_each(|member| audit.member(member, &mut anomalies));
    audit.finish(&mut anomalies);
    anomalies.iter().map(|anomaly| anomaly.kind.id()).collect()
}

#[test]
fn what_is_too_deep_to_be_looked_at_is_told() {
    let told = |depth| {
        let name = ["d/".repeat(depth).as_str(), "x"].concat().into_bytes();
        audited(&[Member { name, ..Member::default() }]).contains("tar.path-deep")
    };
    assert!(!told(128) && told(129));
}

/// Each of 40 links leads through 1600 parts to the next: members below the first take 65 000 steps each.
#[test]
fn links_are_not_followed_without_end() {
    let links = (0..40).map(|i| {
        let link = format!("{}s{}", "a/../".repeat(800), i + 1).into_bytes();
        Member { name: format!("s{i}").into_bytes(), kind: Kind::Symlink, link, ..Member::default() }
    });
    let below =
        |count| (0..count).map(|i| Member { name: format!("s0/{i}").into_bytes(), ..Member::default() });
    let told = |count| {
        let members: Vec<Member> = links.clone().chain(below(count)).collect();
        audited(&members).contains("tar.too-many-directories")
    };
    assert!(!told(10) && told(300));
}

#[test]
fn names_that_look_like_whiteouts_are_files() {
    let parts = [file(".wh-a", b"x"), file("a.wh.b", b"x"), file("d/.wh..wh..opq", b""), file("d/a", b"x")];
    assert_eq!(ids(&archive(&parts)), BTreeSet::new());
}

#[test]
fn links_that_lead_nowhere_or_in_circles_end() {
    let circle = [link("a", b'2', "b"), link("b", b'2', "a"), file("a/f", b""), file("b/../a/./g", b"")];
    assert!(ids(&archive(&circle)).contains("path-through-symlink"));
    let up = [link("e", b'2', "../../d"), file("d/f", b""), file("e/f", b"")];
    assert!(ids(&archive(&up)).contains("duplicate-through-symlink"));
    let absolute = [link("x/e", b'2', "/d"), file("d/f", b""), file("x/e/f", b"")];
    assert!(ids(&archive(&absolute)).contains("duplicate-through-symlink"));
}

#[test]
fn a_body_in_one_slice_is_passed_on_in_one_piece() {
    let (told, _) = walk(&archive(&[file("a", &[7; 100_000])]));
    assert_eq!((told.pieces, told.data[0].len(), told.ended), (1, 100_000, 1));
}

#[test]
fn sparse_files_are_listed_by_real_name_and_size() {
    // GNU tar's manual, "Storing Sparse Files": format 1.0 has the map in blocks of its own before the data.
    let records: &[(&str, &[u8])] = &[
        ("GNU.sparse.major", b"1"),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.name", b"real"),
        ("GNU.sparse.realsize", b"8589934592"),
    ];
    let mut body = b"2\n1024\n3\n8589934589\n3\n".to_vec();
    body.resize(BLOCK, 0);
    body.extend_from_slice(b"abcxyz");
    let (told, outcome) = walk(&archive(&[pax(records), file("GNUSparseFile.0/real", &body)]));
    let member = &told.members[0];
    assert_eq!((member.name.as_slice(), member.size, member.stored), (&b"real"[..], 1 << 33, 518));
    assert_eq!(member.sparse.as_deref(), Some(&[(1024, 3), ((1 << 33) - 3, 3)][..]));
    assert_eq!((told.data[0].as_slice(), outcome.bytes.body), (&b"abcxyz"[..], 518));
    assert_eq!(told.ids(), BTreeSet::from(["sparse"]));
}

#[test]
fn global_headers_are_handed_on_and_written_back() {
    let global = extension(b'g', &[("comment", b"c"), ("mtime", b"99")]);
    let (told, _) = walk(&archive(&[global, file("a", b"")]));
    assert_eq!(told.members[0].mtime, Timestamp::default());
    let (again, _) = walk(&archive(&[encode_global(&told.globals[0]).unwrap(), file("a", b"")]));
    assert_eq!(again.globals[0].records, told.globals[0].records);
}

#[test]
fn what_go_cannot_write_is_refused() {
    let member = |edit: fn(&mut Member)| {
        let mut member = Member { name: b"a".to_vec(), ..Member::default() };
        edit(&mut member);
        encode(&member)
    };
    assert!(member(|_| {}).is_ok());
    assert_eq!(member(|m| m.sparse = Some(Vec::new())), Err(Unrepresentable::Sparse));
    assert_eq!(member(|m| m.kind = Kind::Other(b'D')), Err(Unrepresentable::Type(b'D')));
    assert_eq!(member(|m| m.name = b"a/".to_vec()), Err(Unrepresentable::TrailingSlash));
    let long = |m: &mut Member| {
        m.uname = b"u".repeat(33);
        m.dialect = Dialect::Gnu;
    };
    assert_eq!(member(long), Err(Unrepresentable::Field { dialect: Dialect::Gnu, field: "uname" }));
    let record = member(|m| m.records = vec![(b"a=b".to_vec(), b"c".to_vec())]);
    assert_eq!(record, Err(Unrepresentable::Record(b"a=b".to_vec())));
}

/// A path of one or more parts, sometimes long, sometimes not ASCII.
fn path() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        4 => proptest::collection::vec(b'a'..=b'z', 1..20),
        1 => proptest::collection::vec(b'a'..=b'z', 60..130),
        1 => proptest::collection::vec(1_u8..=255, 1..20),
    ];
    proptest::collection::vec(part, 1..5).prop_map(|parts| {
        let mut path = parts.join(&b'/');
        path.retain(|byte| *byte != 0);
        while path.ends_with(b"/") {
            path.pop();
        }
        if path.is_empty() { b"f".to_vec() } else { path }
    })
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    let secs = prop_oneof![-400_000_000_i64..4_000_000_000, 0..20_000_000_000_i64];
    (secs, prop_oneof![3 => Just(0), 1 => 0_u32..1_000_000_000])
        .prop_map(|(secs, nanos)| Timestamp { secs, nanos })
}

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![0_i64..0o10000, 0_i64..1 << 33]
}

prop_compose! {
    fn member()(
        name in path(), link in path(),
        kind in proptest::sample::select(vec![
            Kind::Regular, Kind::Regular, Kind::Directory, Kind::Symlink, Kind::Hardlink, Kind::CharDevice, Kind::Fifo,
        ]),
        mode in 0_i64..0o10000, uid in number(), gid in number(), size in 0_u64..2000,
        mtime in timestamp(), atime in proptest::option::of(timestamp()),
        uname in "[a-z]{0,40}", xattr in proptest::option::of(proptest::collection::vec(1_u8..=255, 1..40)),
        device in 0_i64..256, mixed in any::<bool>(),
    ) -> (Member, Vec<u8>) {
        let is_link = matches!(kind, Kind::Symlink | Kind::Hardlink);
        let is_device = kind == Kind::CharDevice;
        let size = if kind == Kind::Regular { size } else { 0 };
        let xattr = xattr.map(|value| (b"SCHILY.xattr.user.a".to_vec(), value));
        let member = Member {
            name, kind, mode, uid, gid, size, mtime, stored: size,
            atime: atime.filter(|_| !mixed),
            link: if is_link { link } else { Vec::new() },
            uname: uname.into_bytes(),
            records: xattr.into_iter().collect(),
            devmajor: if is_device { device } else { 0 },
            dialect: if mixed { Dialect::Mixed } else { Dialect::Pax },
            ..Member::default()
        };
        (member, vec![b'x'; size as usize])
    }
}

/// An archive of these members.
fn archive_of(members: &[(Member, Vec<u8>)]) -> Vec<u8> {
    let encode = |(member, data): &(Member, Vec<u8>)| {
        let mut out = [encode(member).unwrap(), data.clone()].concat();
        out.resize(out.len() + padding(member.size), 0);
        out
    };
    archive(&members.iter().map(encode).collect::<Vec<_>>())
}

/// Cuts `bytes` into windows; the sizes are taken in turn.
fn walk_in_windows(bytes: &[u8], sizes: &[usize]) -> (Told, Outcome) {
    let mut told = Told::default();
    let mut walker = Walker::new(&Limits::default());
    let mut rest = bytes;
    for size in sizes.iter().cycle() {
        let (window, after) = rest.split_at((*size).min(rest.len()));
        walker.feed(window, &mut told);
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    let outcome = walker.finish(&mut told);
    (told, outcome)
}

proptest! {
    #[test]
    fn what_is_written_reads_back(members in proptest::collection::vec(member(), 0..6)) {
        let (told, outcome) = walk(&archive_of(&members));
        prop_assert_eq!(outcome.end, End::Marker);
        prop_assert!(told.anomalies.iter().all(|a| a.kind.grade() == Grade::Note), "{:?}", told.anomalies);
        prop_assert_eq!(told.members.len(), members.len());
        for (read, (written, data)) in told.members.iter().zip(&members) {
            let rounded = i64::from(written.mtime.nanos >= 500_000_000 && written.dialect == Dialect::Mixed);
            let nanos = if written.dialect == Dialect::Mixed { 0 } else { written.mtime.nanos };
            let mtime = Timestamp { secs: written.mtime.secs + rounded, nanos };
            let expected = Member {
                mtime,
                typeflag: read.typeflag,
                records: read.records.clone(),
                dialect: read.dialect,
                header_offset: read.header_offset,
                data_offset: read.data_offset,
                ..written.clone()
            };
            prop_assert_eq!(read, &expected);
            prop_assert_eq!(read.xattrs().collect::<Vec<_>>(), written.xattrs().collect::<Vec<_>>());
            prop_assert_eq!(data.len() as u64, read.stored);
            // Written once more, it is the same to the byte: the writer gives what Go would read and write again.
            prop_assert_eq!(encode(read), encode(&Member { mtime, ..written.clone() }));
        }
    }

    #[test]
    fn the_tar_crate_reads_what_is_written(members in proptest::collection::vec(member(), 0..6)) {
        // It splits records at newlines where Go goes by their length.
        let newline = |text: &[u8]| text.contains(&b'\n');
        let split = |m: &Member| newline(&m.name) || newline(&m.link) || m.xattrs().any(|(_, value)| newline(value));
        prop_assume!(!members.iter().any(|(m, _)| split(m)));
        let bytes = archive_of(&members);
        let mut theirs = tar::Archive::new(bytes.as_slice());
        let mut read = Vec::new();
        for entry in theirs.entries().unwrap() {
            let entry = entry.unwrap();
            let link = entry.link_name_bytes().map(|link| link.into_owned()).unwrap_or_default();
            read.push((entry.path_bytes().into_owned(), link, entry.size(), entry.header().mode().unwrap()));
        }
        let written: Vec<_> =
            members.iter().map(|(m, _)| (m.name.clone(), m.link.clone(), m.size, m.mode as u32)).collect();
        prop_assert_eq!(read, written);
    }

    #[test]
    fn windows_do_not_matter(
        picks in proptest::collection::vec((0..100_usize, 0..3_usize), 1..5),
        flips in proptest::collection::vec((any::<u16>(), any::<u8>(), any::<bool>()), 0..4),
        sizes in proptest::collection::vec(prop_oneof![1..4_usize, 500..530_usize, 1..5000_usize], 1..6),
    ) {
        let samples = samples_once();
        let mut bytes: Vec<u8> = picks.iter().flat_map(|(pick, cut)| {
            let sample = &samples[pick % samples.len()];
            // With its end marker, without it, or cut somewhere.
            let keep = sample.len().saturating_sub([0, 1024, 700][*cut]);
            sample[..keep].to_vec()
        }).collect();
        for (at, value, fix) in flips {
            let at = usize::from(at) % bytes.len().max(1);
            let Some(byte) = bytes.get_mut(at) else { continue };
            *byte = value;
            let start = at / BLOCK * BLOCK;
            if fix && let Some(block) = bytes.get_mut(start..).and_then(<[u8]>::first_chunk_mut) {
                seal(block);
            }
        }
        let (mut whole, outcome) = walk(&bytes);
        let (mut pieces, outcome_of_pieces) = walk_in_windows(&bytes, &sizes);
        (whole.pieces, pieces.pieces) = (0, 0);
        prop_assert_eq!(outcome, outcome_of_pieces);
        prop_assert_eq!(whole, pieces);
    }
}
