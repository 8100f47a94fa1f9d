//! In-toto statements: that an image of this digest was verified, and how it fared. Not signed; signing tools do that.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::{
    Style,
    form::Stream,
    wire::{Header, ImageRecord, Input, Outcome},
};
use crate::digest::Digest;

/// One Statement (in-toto v1) a line, with a predicate of type verification summary (SLSA, v1): one for each image that
/// was looked at, and one for the index above them where all its images were. No time is in it: the same run gives the
/// same bytes.
pub(super) const STREAM: Stream =
    Stream { begin: |_, _| Ok(()), input: statements, end: |_, _, _, _| Ok(()) };

fn statements(header: &Header, input: &Input, _: &Style, out: &mut dyn Write) -> io::Result<()> {
    let images = || input.images.iter().filter(|image| image.kind == "image");
    let own = |image: &ImageRecord| image.ladder.manifest.or(image.ladder.config);
    let index = input
        .image_digest
        .filter(|digest| !input.narrowed && images().all(|image| own(image) != Some(*digest)));
    let name = |image: &ImageRecord| image.names.first().cloned();
    let of_index = index.map(|digest| (digest, images().find_map(name)));
    for (digest, name) in
        of_index.into_iter().chain(images().filter_map(|image| Some((own(image)?, name(image)))))
    {
        serde_json::to_writer(&mut *out, &statement(header, input, digest, name.as_deref()))?;
        writeln!(out)?;
    }
    Ok(())
}

fn statement(header: &Header, input: &Input, digest: Digest, name: Option<&str>) -> Value {
    let digests: Map<String, Value> =
        Map::from_iter([(digest.algorithm().name().to_owned(), digest.hex().into())]);
    let passed = input.outcome == Outcome::Pass;
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": name.unwrap_or(&input.name), "digest": digests }],
        "predicateType": "https://slsa.dev/verification_summary/v1",
        "predicate": {
            "verifier": { "id": format!("pkg:cargo/repro-build@{}", header.version) },
            "resourceUri": package_url(digest, name),
            "policy": policy(header, input),
            "verificationResult": if passed { "PASSED" } else { "FAILED" },
            "verifiedLevels": [if passed { "SLSA_BUILD_LEVEL_UNEVALUATED" } else { "FAILED" }],
        },
    })
}

/// What the image was held to. Whoever reads a summary goes by the URI, so that only all checks, and no more than they,
/// have the plain one.
fn policy(header: &Header, input: &Input) -> Value {
    let mut name = input.policy.clone().unwrap_or_else(|| "built-in checks".to_owned());
    let left_out = input.left_out();
    if left_out > 0 {
        name = format!("{name}, {left_out} checks left out");
    }
    let held_to = match &input.policy {
        _ if left_out > 0 => "selected-checks",
        Some(_) => "policy",
        None => "checks",
    };
    let mut policy =
        json!({ "name": name, "uri": format!("pkg:cargo/repro-build@{}#{held_to}", header.version) });
    if let Some(digest) = &input.policy_digest {
        policy["digest"] = json!({ digest.algorithm().name(): digest.hex() });
    }
    policy
}

/// The package URL of an image (type `oci`): the last part of its repository's name, the digest, and where it is from.
fn package_url(digest: Digest, name: Option<&str>) -> String {
    let digest = format!("{}%3A{}", digest.algorithm().name(), digest.hex());
    let Some(name) = name else { return format!("pkg:oci/unnamed@{digest}") };
    let name = name.split('@').next().unwrap_or(name);
    let last_at = name.rfind('/').map_or(0, |slash| slash + 1);
    let (folder, last) = name.split_at(last_at);
    let (last, tag) = last.split_once(':').unwrap_or((last, ""));
    let tag = if tag.is_empty() { String::new() } else { format!("&tag={}", encoded(tag)) };
    format!("pkg:oci/{}@{digest}?repository_url={}{tag}", encoded(last), encoded(&format!("{folder}{last}")))
}

/// RFC 3986's percent-encoding; a slash may stand in a query.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
