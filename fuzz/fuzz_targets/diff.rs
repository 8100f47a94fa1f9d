//! Comparing: an image is the same as itself, which of two stands left matters only to what was added and removed, and a
//! remedy makes both the same.
#![no_main]

use std::collections::BTreeMap;

use arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use repro_build::{
    diff::{self, Cause, Diff, Input, LayerMatch, Options, Remedy, Verdict},
    normalize::{self, normalize},
    observe::Silent,
    rules::Level,
};
use repro_build_fuzz::{
    images, limits, remedied, source,
    support::{Doc, ImageBuilder, Layer, Layout, Packing},
    verdict, workers,
};
use serde_json::json;

/// A second image that has something to do with the first, or nothing.
fn other(layout: Layout, layers: &[Layer], u: &mut Unstructured) -> Result<ImageBuilder> {
    let mut layers = layers.to_vec();
    Ok(match u.int_in_range(0..=8)? {
        0 => images::image(*u.choose(&Layout::ALL)?, &images::layers(u)?),
        1 => images::image(*u.choose(&Layout::ALL)?, &layers),
        2 => {
            layers.insert(u.choose_index(layers.len() + 1)?, images::layer(u)?);
            images::image(layout, &layers)
        }
        3 if !layers.is_empty() => {
            let at = u.choose_index(layers.len())?;
            layers[at] = layers[at].clone().pack(*u.choose(&Packing::ALL)?);
            images::image(layout, &layers)
        }
        4 if !layers.is_empty() => {
            layers.remove(u.choose_index(layers.len())?);
            images::image(layout, &layers)
        }
        5 => images::image(layout, &layers)
            .json(Doc::Config(0), |config| config["config"]["User"] = json!("nobody")),
        6 => images::image(layout, &layers).json(Doc::Config(0), |config| {
            config["created"] = json!("2030-01-02T03:04:05.5Z");
        }),
        7 if layout.has_index() => images::image(layout, &layers).json(Doc::Manifest(0), |manifest| {
            manifest["annotations"] = json!({"org.opencontainers.image.created": "2030-01-02T03:04:05Z"});
        }),
        _ => images::image(layout, &layers).map(|image| image.name("example.com/lab/y:2")),
    })
}

fn options(u: &mut Unstructured) -> Result<Options> {
    let merged = u.ratio(1, 4)?;
    let layer_match = *u.choose(&[LayerMatch::Content, LayerMatch::Content, LayerMatch::Position])?;
    let levels = [
        None,
        None,
        None,
        Some(Level::Archive),
        Some(Level::Clamp),
        Some(Level::Canonical),
        Some(Level::Sorted),
    ];
    let level = *u.choose(&levels)?;
    Ok(Options { layer_match, merged, level, ..Options::default() })
}

fn compare(left: &[u8], right: &[u8], options: &Options) -> Diff {
    let (left, right) = (source(left).unwrap(), source(right).unwrap());
    let [left, right] = [&left, &right].map(|source| Input { source, image: None, platform: None });
    diff::run(&left, &right, options, &limits(), workers(), &Silent).unwrap()
}

/// What `normalize` makes of an archive with the arguments of a remedy; `None` where it refuses.
fn apply(input: &[u8], remedy: &Remedy) -> Option<Vec<u8>> {
    let options = normalize::Options { limits: limits(), ..remedied::options(remedy) };
    let mut output = Vec::new();
    normalize(&source(input).unwrap(), &options, workers(), &Silent, &mut output).ok()?;
    Some(output)
}

/// How many differences there are of each cause, as seen from the other side.
fn mirrored(diff: &Diff) -> BTreeMap<Cause, usize> {
    let mirror = |cause| match cause {
        Cause::Added => Cause::Removed,
        Cause::Removed => Cause::Added,
        cause => cause,
    };
    diff.tally.iter().map(|(cause, count)| (mirror(cause), count)).collect()
}

fn case(u: &mut Unstructured) -> Result<()> {
    let options = options(u)?;
    let (layout, layers) = (*u.choose(&Layout::ALL)?, images::layers(u)?);
    let left = images::image(layout, &layers).tar();
    let right = other(layout, &layers, u)?.tar();

    let same = compare(&left, &left, &options);
    assert_eq!(same.verdict, Verdict::IdenticalBytes);
    assert!(same.tally.iter().next().is_none() && same.remedy.is_none(), "{:?}", same.tally);
    assert!(same.changes().next().is_none());

    let (there, back) = (compare(&left, &right, &options), compare(&right, &left, &options));
    assert_eq!(there.verdict == Verdict::IdenticalBytes, left == right);
    assert_eq!(there.verdict, back.verdict);
    assert_eq!(there.remedy, back.remedy);
    let tally: BTreeMap<Cause, usize> = there.tally.iter().collect();
    assert_eq!(tally, mirrored(&back));
    // What was asked not to count, a remedy need not remove; and nothing is promised of what does not verify.
    let verifies = |archive: &[u8]| verdict(archive).is_some_and(|verdict| verdict.passed());
    let all_counts = options.level.is_none() && !options.merged;
    if let Some(remedy) = there.remedy.filter(|_| all_counts && verifies(&left) && verifies(&right)) {
        let made = apply(&left, &remedy);
        assert!(made.is_some() && made == apply(&right, &remedy), "{remedy:?} {tally:?}");
    }
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    let _ = case(&mut Unstructured::new(data));
});
