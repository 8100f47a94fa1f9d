//! Laws over generated images.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::Config;
use repro_build::inspect::{Request, inspect};
use repro_build::limits::Limits;
use repro_build::rules::Level;
use repro_build::tar::{Anomaly, Kind, Sink, Timestamp, Walker};

use super::*;
use crate::support::tar;

const EPOCH: i64 = 1_000_000_000;

fn member() -> impl Strategy<Value = Member> {
    let name = prop_oneof![
        "[a-d]{1,3}(/[a-d]{1,3}){0,2}".prop_map(String::into_bytes),
        "[a-z]{90,99}/[a-z]{90,120}".prop_map(String::into_bytes),
        vec(0x80_u8..=0xff, 1..8).prop_map(|tail| [b"x-".as_slice(), &tail].concat()),
        "[a-d]/\\.wh\\.[e-h]".prop_map(String::into_bytes),
    ];
    let time = prop_oneof![Just(0), Just(EPOCH), Just(EPOCH + 1), -9_000_000_000_i64..20_000_000_000];
    let id = prop_oneof![Just(0_u64), Just(0o7777777), Just(0o10000000), Just(4_294_967_294)];
    let mode = prop_oneof![Just(0o644_u64), Just(0o4755), Just(0), Just(0o100_644)];
    let owner = prop_oneof![Just(("", "")), Just(("root", "wheel"))];
    let xattr = prop_oneof![Just(None), vec(any::<u8>(), 0..20).prop_map(Some)];
    let fraction = prop_oneof![Just(None), Just(Some("999999999.5")), Just(Some("1000000000.5"))];
    let rest = (id.clone(), id, mode, owner, xattr, fraction);
    (0..8_u8, name, time, vec(any::<u8>(), 0..1500), rest).prop_map(
        |(kind, name, time, data, (uid, gid, mode, (uname, gname), xattr, fraction))| {
            let mut member = match kind {
                0 => Member::dir([name.as_slice(), b"/"].concat()),
                1 => Member::symlink(&name, "target"),
                2 => Member::hardlink(&name, "a/b"),
                3 => Member::device(b'3', &name, 5, 1),
                4 => Member::of_kind(b'6', &name, []),
                _ => Member::file(&name, data),
            };
            member = member.mtime(time).owner(uid, gid).mode(mode).owner_names(uname, gname);
            if let Some(value) = xattr {
                member = member.xattr("user.z", [value.as_slice(), b"\0end"].concat()).xattr("user.a", "1");
            }
            // Go rounds the times of headers that are not ASCII (docs/rules.md).
            match fraction.filter(|_| name.is_ascii()) {
                Some(fraction) => member.pax("mtime", fraction).pax("atime", "2000000000"),
                None => member,
            }
        },
    )
}

fn layer() -> impl Strategy<Value = Layer> {
    let packing = prop_oneof![Just(Packing::Gzip), Just(Packing::Zstd), Just(Packing::Plain)];
    (vec(member(), 0..8), packing).prop_map(|(members, packing)| Layer::of_tar(tar(&members), packing))
}

fn image() -> impl Strategy<Value = Vec<u8>> {
    let layout =
        prop_oneof![Just(Written::Oci), Just(Written::Both), Just(Written::Docker), Just(Written::Legacy)];
    (vec(layer(), 0..4), layout).prop_map(|(layers, layout)| {
        let image = Image::new(layers).name("example.com/lab/x:1");
        ImageBuilder::new(layout, vec![image]).tar()
    })
}

fn source(bytes: &[u8]) -> Source {
    Source::from_bytes("x.tar", bytes.to_vec(), &OpenOptions::default()).unwrap()
}

/// Whether an archive verifies without an error.
fn is_clean(bytes: &[u8]) -> bool {
    let workers = Workers::new(1).unwrap();
    inspect(&source(bytes), &Request::default(), &workers, &Silent, |it| it.verdict.passed()).unwrap()
}

/// What containers see of a member, and its time.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    name: Vec<u8>,
    link: Vec<u8>,
    kind: Kind,
    mode: i64,
    owner: (i64, i64),
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    data: Vec<u8>,
    time: Timestamp,
}

#[derive(Default)]
struct Members(Vec<Seen>);

impl Sink for Members {
    fn member(&mut self, member: repro_build::tar::Member) {
        let is_link = matches!(member.kind, Kind::Hardlink | Kind::Symlink);
        let mut xattrs: Vec<_> = member.xattrs().map(|(k, v)| (k.to_vec(), v.to_vec())).collect();
        xattrs.sort();
        self.0.push(Seen {
            name: member.name.clone(),
            link: if is_link { member.link.clone() } else { Vec::new() },
            kind: member.kind,
            mode: member.mode & 0o7777,
            owner: (member.uid, member.gid),
            xattrs,
            data: Vec::new(),
            time: member.mtime,
        });
    }

    fn data(&mut self, data: &[u8]) {
        self.0.last_mut().unwrap().data.extend_from_slice(data);
    }

    fn anomaly(&mut self, _: Anomaly) {}
}

/// The members of every layer of the first image, in order.
fn members(bytes: &[u8]) -> Vec<Vec<Seen>> {
    let workers = Workers::new(1).unwrap();
    let source = source(bytes);
    let read = |packed: &[u8]| {
        let limits = Limits::default();
        let mut decoder = repro_build::codec::decoder(repro_build::codec::sniff(packed), packed, &limits);
        let mut plain = vec![0; 1 << 20];
        let filled = decoder.fill(&mut plain).unwrap();
        let mut members = Members::default();
        Walker::walk(&limits, &plain[..filled], &mut members);
        members.0
    };
    inspect(&source, &Request::default(), &workers, &Silent, |it| {
        let layers = it.images[0].layers.iter();
        layers.map(|layer| read(it.graph.content(layer.blob.unwrap()))).collect()
    })
    .unwrap()
}

fn clamped(time: Timestamp) -> Timestamp {
    time.min(Timestamp::from_secs(EPOCH))
}

proptest! {
    #![proptest_config(Config { cases: 48, ..Config::default() })]

    #[test]
    fn normalising_twice_changes_nothing_more(input in image()) {
        prop_assume!(is_clean(&input));
        for level in Level::ALL {
            let options = Options::new(level, Some(EPOCH));
            let Ok((once, _)) = run(&input, &options) else {
                prop_assert_eq!(level, Level::Sorted, "only sorting may refuse");
                continue;
            };
            let (twice, outcome) = run(&once, &options).unwrap();
            prop_assert!(once == twice, "{:?}: {:?}", level, outcome.changes);
            prop_assert!(!outcome.changed && outcome.changes.is_empty(), "{:?}", outcome.changes);
            prop_assert!(is_clean(&once));
            prop_assert!(run_on(1, &input, &options).unwrap().0 == once);
            prop_assert!(run_on(5, &input, &options).unwrap().0 == once);
        }
    }

    #[test]
    fn nothing_changes_but_what_the_rules_say(input in image()) {
        prop_assume!(is_clean(&input));
        let before = members(&input);
        let (archive, outcome) = run(&input, &Options::new(Level::Archive, None)).unwrap();
        prop_assert_eq!(&members(&archive), &before);
        prop_assert!(outcome.digests.iter().all(|moved| moved.rung.name() == "archive"));
        let expected: Vec<Vec<Seen>> = before
            .iter()
            .map(|layer| layer.iter().map(|seen| Seen { time: clamped(seen.time), ..seen.clone() }).collect())
            .collect();
        for level in [Level::Clamp, Level::Canonical] {
            let (out, _) = run(&input, &Options::new(level, Some(EPOCH))).unwrap();
            prop_assert_eq!(&members(&out), &expected, "{:?}", level);
        }
        if let Ok((out, _)) = run(&input, &Options::new(Level::Sorted, Some(EPOCH))) {
            let by_name = |mut layers: Vec<Vec<Seen>>| {
                layers.iter_mut().for_each(|layer| layer.sort_by(|a, b| a.name.cmp(&b.name)));
                layers
            };
            prop_assert_eq!(by_name(members(&out)), by_name(expected));
        }
    }

    #[test]
    fn a_layer_without_late_times_keeps_its_blob(input in image()) {
        prop_assume!(is_clean(&input));
        let late = members(&input).iter().flatten().any(|seen| seen.time > clamped(seen.time));
        let (_, outcome) = run(&input, &Options::new(Level::Clamp, Some(EPOCH))).unwrap();
        // An access time is late in some of them.
        let layers = outcome.changes.iter().filter(|change| change.rule.starts_with("layer.")).count();
        prop_assert!(!late || layers > 0);
        let latest = Options::new(Level::Clamp, Some(30_000_000_000));
        prop_assert!(run(&input, &latest).unwrap().1.digests.iter().all(|moved| moved.rung.name() == "archive"));
    }
}
