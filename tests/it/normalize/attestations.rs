//! What vouches for an image that changes: attestations, signatures, and what vouches for these.

use repro_build::error::ErrorKind;
use serde_json::json;

use super::*;

const SIGNED: &[u8] = br#"{"critical":{"type":"cosign container image signature"}}"#;

fn plain() -> ImageBuilder {
    two_layers().layout(Written::Oci)
}

/// Adds an artifact as image `number`, which is about the manifest of the image before it: by its `subject`.
fn about_the_last(builder: ImageBuilder, number: usize) -> ImageBuilder {
    let built = builder.build();
    let digest = built.digest(Doc::Manifest(number - 1)).to_owned();
    let size = files(&built.bytes)[built.name(Doc::Manifest(number - 1))].len();
    let layer = Layer::of_tar(b"{}".to_vec(), Packing::Plain).media_type("application/spdx+json");
    builder.image(Image::new(vec![layer])).json(Doc::Manifest(number), move |manifest| {
        manifest["config"]["mediaType"] = json!("application/spdx");
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        manifest["subject"] = json!({"mediaType": media_type, "digest": digest, "size": size});
    })
}

/// Adds what `cosign sign` makes of an image: one more, whose tag is the image's digest.
fn signed(builder: ImageBuilder) -> ImageBuilder {
    let tag = builder.build().digest(Doc::Manifest(0)).replace(':', "-");
    let layer = Layer::of_tar(SIGNED.to_vec(), Packing::Plain)
        .media_type("application/vnd.dev.cosign.simplesigning.v1+json");
    builder.image(Image::new(vec![layer]).name(&format!("example.com/lab/good:{tag}.sig")))
}

fn with(attestations: Attestations) -> Options {
    Options { attestations, ..Options::new(Level::Clamp, Some(1000)) }
}

#[test]
fn whatever_vouches_goes_with_all_that_is_below_it() {
    let chains = [
        about_the_last(plain(), 1),
        about_the_last(about_the_last(plain(), 1), 2),
        about_the_last(plain().image(Image::attestation(0)), 2),
        signed(plain()),
    ];
    for layout in [None, Some(Layout::Docker)] {
        let options = Options { layout, ..with(Attestations::Drop) };
        // What the image becomes where nothing vouches for it.
        let (alone, of_alone) = run(&plain().tar(), &options).unwrap();
        for (number, chain) in chains.iter().enumerate() {
            let (out, outcome) = run(&chain.tar(), &options).unwrap();
            assert!(out == alone, "{number} {layout:?}: {:?}", files(&out).keys());
            let changes = outcome.changes.into_iter().filter(|change| change.rule != "archive.attestations");
            assert_eq!(changes.collect::<Vec<_>>(), of_alone.changes, "{number} {layout:?}");
            assert_eq!(outcome.digests[1..], of_alone.digests[1..], "{number} {layout:?}");
        }
    }
}

#[test]
fn a_signature_by_tag_is_a_signature() {
    let input = signed(plain()).tar();
    let refused = run(&input, &with(Attestations::Fail)).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Refused);
    assert!(refused.to_string().contains("--attestations"), "{refused}");

    let (kept, _) = run(&input, &with(Attestations::Keep)).unwrap();
    let manifests = &json(&files(&kept)["index.json"])["manifests"];
    let tag = manifests[0]["digest"].as_str().unwrap().replace(':', "-") + ".sig";
    let names = &manifests[1]["annotations"];
    assert_eq!(names["org.opencontainers.image.ref.name"], tag);
    assert_eq!(names["io.containerd.image.name"], format!("example.com/lab/good:{tag}"));
    assert!(run(&kept, &with(Attestations::Fail)).unwrap().0 == kept);

    let mut unnamed = with(Attestations::Keep);
    unnamed.active.add("archive.names").unwrap();
    let (unnamed, _) = run(&input, &unnamed).unwrap();
    assert!(json(&files(&unnamed)["index.json"])["manifests"][1].get("annotations").is_none());
}
