//! Normalizing: the laws of its levels, over good images of arbitrary content.
#![no_main]

use std::{collections::BTreeMap, io::Read as _, sync::LazyLock};

use arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use repro_build::{
    codec::Compression,
    diff::{self, Input, Verdict},
    error::{self, ErrorKind},
    inspect::{Also, Request, inspect},
    measure::Workers,
    normalize::{Layout, Options, Outcome, normalize},
    observe::Silent,
    rules::Level,
    tar::{Timestamp, raw_line},
};
use repro_build_fuzz::{images, limits, source, support::Layout as Written, verdict, workers};

fn run(input: &[u8], options: &Options, workers: &Workers) -> error::Result<(Vec<u8>, Outcome)> {
    let mut out = Vec::new();
    let outcome = normalize(&source(input)?, options, workers, &Silent, &mut out)?;
    Ok((out, outcome))
}

/// All that containers see of a member but its time, and its time.
type Seen = (String, Timestamp);

/// The members of every layer, in order.
fn members(archive: &[u8]) -> Vec<Vec<Seen>> {
    let also = Also { listing: true, file_digests: true, ..Also::default() };
    let request = Request { limits: limits(), also, ..Request::default() };
    inspect(&source(archive).unwrap(), &request, workers(), &Silent, |it| {
        let blobs = it.images[0].layers.iter().map(|layer| layer.blob.unwrap());
        blobs
            .map(|blob| it.facts.blobs[&blob].layer.as_ref().unwrap().members.iter().map(seen).collect())
            .collect()
    })
    .unwrap()
}

fn seen(listed: &repro_build::stack::ListedMember) -> Seen {
    let member = &listed.member;
    let mut fields: Vec<String> = raw_line(member).split('\t').map(String::from).collect();
    fields[5].clear();
    let mut xattrs: Vec<_> = member.xattrs().collect();
    xattrs.sort();
    let device = (member.devmajor, member.devminor);
    (format!("{fields:?} {xattrs:?} {device:?} {:?}", listed.digest), member.mtime)
}

/// The files below `blobs/`, as another tar reader sees them.
fn blobs(archive: &[u8]) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut blobs = BTreeMap::new();
    for entry in tar::Archive::new(archive).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path_bytes().into_owned();
        if entry.header().entry_type().is_file() && name.starts_with(b"blobs/") {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            blobs.insert(name, bytes);
        }
    }
    blobs
}

fn options(u: &mut Unstructured) -> Result<Options> {
    let epoch = *u.choose(&[images::EPOCH, images::EPOCH, 0, images::LATEST])?;
    let mut options = Options::new(*u.choose(&Level::ALL)?, Some(epoch));
    options.layout = *u.choose(&[None, None, Some(Layout::Oci), Some(Layout::Docker)])?;
    let compressions =
        [None, None, Some(Compression::Gzip), Some(Compression::Zstd), Some(Compression::Plain)];
    options.compression = *u.choose(&compressions)?;
    options.limits = limits();
    Ok(options)
}

fn case(u: &mut Unstructured) -> Result<()> {
    static MANY: LazyLock<Workers> = LazyLock::new(|| Workers::new(3).unwrap());
    let options = options(u)?;
    let input = images::image(*u.choose(&Written::ALL)?, &images::layers(u)?).tar();
    // Hard links that lead nowhere and such may be errors; what they become is nobody's concern.
    if !verdict(&input).is_some_and(|verdict| verdict.passed()) {
        return Ok(());
    }
    let (level, epoch) = (options.level, options.source_date_epoch.unwrap());
    let (once, outcome) = match run(&input, &options, workers()) {
        Ok(done) => done,
        Err(error) => {
            assert_eq!(
                (level, error.kind),
                (Level::Sorted, ErrorKind::Refused),
                "only sorting may refuse: {error}"
            );
            return Ok(());
        }
    };
    assert!(verdict(&once).is_some_and(|verdict| verdict.passed()), "the output verifies");
    assert!(run(&input, &options, &MANY).unwrap().0 == once, "threads do not matter");
    let (twice, again) = run(&once, &options, workers()).unwrap();
    assert!(twice == once && !again.changed && again.changes.is_empty(), "idempotent: {:?}", again.changes);
    assert_eq!(outcome.changed, once != input);

    // Nothing that containers see changes, but times.
    let time =
        |time: Timestamp| if level == Level::Archive { time } else { time.min(Timestamp::from_secs(epoch)) };
    let order = |mut layer: Vec<Seen>| {
        if level == Level::Sorted {
            layer.sort();
        }
        layer
    };
    let limited = |layer: Vec<Seen>| layer.into_iter().map(|(seen, at)| (seen, time(at))).collect();
    let before: Vec<Vec<Seen>> = members(&input).into_iter().map(limited).map(order).collect();
    assert_eq!(members(&once).into_iter().map(order).collect::<Vec<_>>(), before);

    let (old, new) = (blobs(&input), blobs(&once));
    for (name, bytes) in &new {
        assert!(
            old.get(name).is_none_or(|before| before == bytes),
            "a blob keeps its name, but not its bytes"
        );
    }
    // What is later than nothing stays as it is.
    let untouched = level == Level::Archive || level == Level::Clamp && epoch == images::LATEST;
    if untouched && options.layout.is_none() && options.compression.is_none() {
        assert!(new == old, "nothing had to change: {:?}", outcome.changes);
    }
    assert_eq!(difference(&input, &once, &options), None);
    Ok(())
}

/// What a comparison of input and output says that it should not: only rules may part them, none above the level.
fn difference(input: &[u8], output: &[u8], options: &Options) -> Option<String> {
    let (left, right) = (source(input).unwrap(), source(output).unwrap());
    let [left, right] = [&left, &right].map(|source| Input { source, image: None, platform: None });
    let diff = diff::run(&left, &right, &diff::Options::default(), &limits(), workers(), &Silent).unwrap();
    let explained = match diff.verdict {
        Verdict::IdenticalBytes | Verdict::IdenticalImage => true,
        Verdict::Equalizable => diff.remedy.as_ref().is_some_and(|remedy| {
            // Layers are written anew as a whole, so a change of one field may bring another encoding along.
            remedy.level <= options.level.max(Level::Canonical)
        }),
        _ => false,
    };
    (!explained).then(|| format!("{:?} {:?} {:?} {:#?}", options, diff.verdict, diff.tally, diff.remedy))
}

fuzz_target!(|data: &[u8]| {
    let _ = case(&mut Unstructured::new(data));
});
