//! Whole images: a good one of any layout with up to three things bent passes if and only if nothing was bent.
#![no_main]

use arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use repro_build_fuzz::{
    support::{Built, Doc, ImageBuilder, Layer, Layout, Member, Packing, tar},
    verdict,
};
use serde_json::{Value, json};

/// Digests that are none, or of nothing that is there.
const WRONG_DIGESTS: [&str; 9] = [
    "",
    "sha256:",
    "sha256:abcd",
    "md5:d41d8cd98f00b204e9800998ecf8427e",
    "sha256:../../index.json",
    "SHA256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha512:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
];

const WRONG_NAMES: [&str; 5] = ["../evil", "/etc/evil", "", "blobs/../../evil", "blobs/sha256/.."];

/// What can be bent; each at most once, so that nothing is bent back.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Bend {
    Flip,
    Missing,
    Twin,
    Truncated,
    Name,
    Size,
    Digest,
    DiffIds,
    RootfsType,
    SchemaVersion,
    DuplicateKey,
    DockerView,
}

fn bends(layout: Layout) -> Vec<Bend> {
    let mut bends = vec![Bend::Flip, Bend::Missing, Bend::Twin, Bend::Truncated, Bend::Name];
    bends.extend([Bend::DiffIds, Bend::RootfsType, Bend::DuplicateKey]);
    if matches!(layout, Layout::Oci | Layout::Both) {
        bends.extend([Bend::Size, Bend::Digest, Bend::SchemaVersion]);
    }
    if layout != Layout::Oci {
        bends.push(Bend::DockerView);
    }
    bends
}

/// Everything whose content is named by a digest.
fn blobs(layout: Layout, layers: usize) -> Vec<Doc> {
    let mut blobs = vec![Doc::Config(0)];
    if matches!(layout, Layout::Oci | Layout::Both) {
        blobs.push(Doc::Manifest(0));
    }
    blobs.extend((0..layers).map(|i| Doc::Layer(0, i)));
    blobs
}

/// How many bytes of an archive it takes to have the image whole. What follows (`oci-layout`, `repositories`, a second
/// view of the same image, padding, the end marker) can be cut off and all of the image is still there.
fn needed(built: &Built) -> usize {
    let root = if built.has(Doc::Index) { Doc::Index } else { Doc::DockerManifest };
    let (mut at, mut end) = (0, 0);
    for member in built.members() {
        at += member.bytes().len();
        let is_blob = member.kind == b'0' && member.name.starts_with(b"blobs/");
        let padding = member.data.len().next_multiple_of(512) - member.data.len();
        if is_blob || member.name == built.name(root).as_bytes() {
            end = at - padding;
        }
    }
    end
}

fn bend(
    builder: ImageBuilder,
    bend: Bend,
    layout: Layout,
    layers: usize,
    u: &mut Unstructured,
) -> Result<ImageBuilder> {
    let blob = *u.choose(&blobs(layout, layers))?;
    let number: u32 = u.arbitrary()?;
    let layer = number as usize % layers;
    Ok(match bend {
        Bend::Flip => builder.stored(blob, move |bytes| {
            let at = number as usize % bytes.len();
            bytes[at] ^= 1 << (number % 8);
        }),
        Bend::Missing => builder.missing(blob),
        Bend::Twin => {
            let first = u.arbitrary()?;
            builder.outer(move |outer| {
                let Some(at) = outer.members.iter().rposition(|m| m.kind == b'0' && !m.data.is_empty())
                else {
                    return;
                };
                let mut twin = outer.members[at].clone();
                let byte = number as usize % twin.data.len();
                twin.data[byte] ^= 1 << (number % 8);
                outer.members.insert(if first { 0 } else { outer.members.len() }, twin);
            })
        }
        Bend::Truncated => {
            let needed = needed(&builder.build());
            builder.bytes(move |bytes| bytes.truncate(number as usize % needed))
        }
        Bend::Name => {
            let name = *u.choose(&WRONG_NAMES)?;
            builder.outer(move |outer| outer.members.push(Member::file(name, "x")))
        }
        Bend::Size => {
            let wrong = match u.int_in_range(0..=3)? {
                0 => json!(-1),
                1 => json!("1"),
                2 => Value::Null,
                _ => json!(u64::from(number) << 20),
            };
            let of = move |descriptor: &mut Value| descriptor["size"] = wrong.clone();
            match blob {
                Doc::Layer(0, i) => builder.json(Doc::Manifest(0), move |m| of(&mut m["layers"][i])),
                Doc::Config(0) => builder.json(Doc::Manifest(0), move |m| of(&mut m["config"])),
                _ => builder.json(Doc::Index, move |m| of(&mut m["manifests"][0])),
            }
        }
        Bend::Digest => {
            let wrong = *u.choose(&WRONG_DIGESTS)?;
            let of = move |descriptor: &mut Value| descriptor["digest"] = json!(wrong);
            match blob {
                Doc::Layer(0, i) => builder.json(Doc::Manifest(0), move |m| of(&mut m["layers"][i])),
                Doc::Config(0) => builder.json(Doc::Manifest(0), move |m| of(&mut m["config"])),
                _ => builder.json(Doc::Index, move |m| of(&mut m["manifests"][0])),
            }
        }
        Bend::DiffIds => match u.int_in_range(0..=2)? {
            0 => builder.json(Doc::Config(0), move |c| {
                c["rootfs"]["diff_ids"].as_array_mut().unwrap().remove(layer);
            }),
            1 => builder.json(Doc::Config(0), |c| {
                let first = c["rootfs"]["diff_ids"][0].clone();
                c["rootfs"]["diff_ids"].as_array_mut().unwrap().push(first);
            }),
            _ => builder
                .json(Doc::Config(0), move |c| c["rootfs"]["diff_ids"][layer] = json!(WRONG_DIGESTS[7])),
        },
        Bend::RootfsType => builder.json(Doc::Config(0), |c| c["rootfs"]["type"] = json!("blocks")),
        Bend::SchemaVersion => {
            let doc = if number.is_multiple_of(2) { Doc::Manifest(0) } else { Doc::Index };
            builder.json(doc, |d| d["schemaVersion"] = json!(1))
        }
        Bend::DuplicateKey => match layout {
            Layout::Docker | Layout::Legacy => {
                builder.replace(Doc::DockerManifest, "{\"Config\"", "{\"Layers\":[],\"Config\"")
            }
            _ => builder.replace(Doc::Manifest(0), "{\"config\"", "{\"Layers\":[],\"config\""),
        },
        // Without an index, a layer that is listed nowhere is no part of any image.
        Bend::DockerView => match u.int_in_range(0..=if layout == Layout::Both { 2 } else { 1 })? {
            0 => builder.json(Doc::DockerManifest, |d| d[0]["Layers"].as_array_mut().unwrap().reverse()),
            1 => builder.json(Doc::DockerManifest, |d| d[0]["Config"] = json!("manifest.json")),
            _ => builder.json(Doc::DockerManifest, |d| {
                d[0]["Layers"].as_array_mut().unwrap().pop();
            }),
        },
    })
}

fn layer(number: usize, u: &mut Unstructured) -> Result<Layer> {
    let mut members =
        vec![Member::dir("srv/"), Member::file(format!("srv/number{number}"), format!("{number}\n"))];
    for i in 0..u.int_in_range(0..=3)? {
        let data: Vec<u8> = u.arbitrary()?;
        members.push(Member::file(format!("srv/file{i}"), data).mtime(i64::from(u.arbitrary::<u32>()?)));
    }
    Ok(Layer::of_tar(tar(&members), *u.choose(&Packing::ALL)?))
}

fn case(u: &mut Unstructured) -> Result<()> {
    let layout = *u.choose(&Layout::ALL)?;
    let layers = (0..2).map(|i| layer(i, u)).collect::<Result<Vec<_>>>()?;
    let mut builder = ImageBuilder::good().layout(layout).layers(layers);
    let (mut left, mut outer) = (bends(layout), false);
    let mut bent = Vec::new();
    for _ in 0..u.int_in_range(0..=3)? {
        let next = left.remove(u.choose_index(left.len())?);
        // A member that is gone cannot be bent, and a cut would take both away.
        let is_outer = matches!(next, Bend::Missing | Bend::Twin | Bend::Truncated | Bend::Name);
        if is_outer && outer {
            continue;
        }
        outer |= is_outer;
        builder = bend(builder, next, layout, 2, u)?;
        bent.push(next);
    }
    let verdict = verdict(&builder.tar());
    let passed = verdict.as_ref().is_some_and(|verdict| verdict.passed());
    assert_eq!(passed, bent.is_empty(), "{layout:?} {bent:?}, {:?}", verdict.map(|v| v.findings));
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    let _ = case(&mut Unstructured::new(data));
});
