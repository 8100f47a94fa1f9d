//! Digests of images in a registry, for comparing a tarball with what was published.
//!
//! Knows references, credentials and manifests; fetches manifests and configurations only, never layers, and believes no
//! header: every digest is computed from the bytes that came. Must not know about archives or findings.

mod credentials;
mod session;

use oci_spec::distribution::Reference;
use session::Session;

use crate::{
    digest::Digest,
    error::{Error, ErrorKind, Result},
    escape::escape,
    image::Platform,
    json::{self, Node},
    limits::Limits,
    location::Location,
    media::Media,
};

/// What a registry has under a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The digest of what the tag itself points to: an index or a manifest.
    pub digest: Digest,
    /// The index, if the tag points to one.
    pub index: Option<Digest>,
    /// The manifest: of the platform that was asked for, or the only one there is.
    pub manifest: Option<Digest>,
    /// The manifest's configuration (Docker's image ID).
    pub config: Option<Digest>,
    /// Platforms the index lists, as it writes them.
    pub platforms: Vec<Platform>,
}

/// Whether `text` has the form of an image's name, such as `debian:12` or `ghcr.io/org/app:1`, and is no tarball's.
pub fn is_name(text: &str) -> bool {
    !text.ends_with(".tar") && Reference::try_from(text).is_ok()
}

/// Whether `text` is an image's name whose first part is its registry's host: `localhost`, or with a `.` or `:` in it.
/// What exists as a file is the caller's to say.
pub fn has_host(text: &str) -> bool {
    let Some((host, _)) = text.split_once('/') else { return false };
    (host == "localhost" || host.contains(['.', ':'])) && is_name(text)
}

/// Asks the registry what it has under `text`. Where that is an index, it is `platform`'s manifest that counts; where it
/// is a manifest, it must be of `platform`. Of `limits`, those on JSON count.
///
/// # Errors
/// [`ErrorKind::Usage`] for a malformed reference or a platform that is not there, [`ErrorKind::Io`] where the registry
/// cannot be reached or refuses, [`ErrorKind::Limit`] where it sends too much, [`ErrorKind::Changed`] where what comes
/// does not have the digest it was asked by, [`ErrorKind::NotAnImage`] where it is no image.
pub fn published(text: &str, platform: Option<&Platform>, limits: &Limits) -> Result<Published> {
    look_up(text, platform, limits).map_err(|error| match error.at.is_empty() {
        true => error.at(Location::new(text)),
        false => error,
    })
}

fn look_up(text: &str, platform: Option<&Platform>, limits: &Limits) -> Result<Published> {
    let reference =
        Reference::try_from(text).map_err(|e| Error::usage(format!("no image reference: {e}")))?;
    let name = reference.digest().or(reference.tag()).unwrap_or("latest");
    let mut session = Session::open(&reference, limits)?;
    let (digest, document) = manifest(&mut session, name, limits)?;
    let listed = match document {
        Document::Index(listed) => listed,
        Document::Manifest { config } => {
            if let Some(wanted) = platform {
                let (_, bytes) = session.fetch("blobs", &config.to_string(), &[])?;
                let own = platform_of(&parse(&bytes, limits)?);
                if !own.as_ref().is_some_and(|own| own.matches(wanted)) {
                    return Err(absent(wanted, own.as_slice()));
                }
            }
            let (manifest, config) = (Some(digest), Some(config));
            return Ok(Published { digest, index: None, manifest, config, platforms: Vec::new() });
        }
    };
    let wanted = |own: &Option<Platform>| {
        platform.is_none_or(|wanted| own.as_ref().is_some_and(|own| own.matches(wanted)))
    };
    let mut chosen: Vec<Digest> =
        listed.iter().filter(|(own, _)| wanted(own)).map(|(_, digest)| *digest).collect();
    chosen.dedup();
    let platforms: Vec<Platform> = listed.into_iter().filter_map(|(own, _)| own).collect();
    let published = Published { digest, index: Some(digest), manifest: None, config: None, platforms };
    match (chosen.as_slice(), platform) {
        ([], Some(wanted)) => Err(absent(wanted, &published.platforms)),
        ([one], _) => match manifest(&mut session, &one.to_string(), limits)? {
            (_, Document::Manifest { config }) => {
                Ok(Published { manifest: Some(*one), config: Some(config), ..published })
            }
            (_, Document::Index(_)) => Err(not_an_image("what the index lists is an index, too")),
        },
        _ => Ok(published),
    }
}

/// What stands under a tag or a digest.
enum Document {
    /// The manifests it lists, attestations left out.
    Index(Vec<(Option<Platform>, Digest)>),
    Manifest {
        config: Digest,
    },
}

fn manifest(session: &mut Session<'_>, name: &str, limits: &Limits) -> Result<(Digest, Document)> {
    let accept: Vec<&str> = Media::Index.names().chain(Media::Manifest.names()).collect();
    let (digest, bytes) = session.fetch("manifests", name, &accept)?;
    Ok((digest, document(&parse(&bytes, limits)?)?))
}

/// By its fields, not by what a header or `mediaType` calls it; one that could be read as both is neither
/// (CVE-2021-41190).
fn document(root: &Node) -> Result<Document> {
    let version = root.get("schemaVersion").and_then(|node| node.u64().ok());
    match (version, root.get("manifests"), root.get("config"), root.get("layers")) {
        (Some(2), Some(manifests), None, None) if manifests.array().is_ok() => {
            let manifests = manifests.array().unwrap_or_default();
            Ok(Document::Index(manifests.iter().filter_map(listed).collect()))
        }
        (Some(2), None, Some(config), Some(layers)) if layers.array().is_ok() => {
            let config = digest(config).ok_or_else(|| not_an_image("the manifest names no configuration"))?;
            Ok(Document::Manifest { config })
        }
        (Some(1), ..) => Err(not_an_image("the registry has a schema 1 manifest, which is no longer in use")),
        _ => Err(not_an_image("the registry gave neither an image manifest nor an index")),
    }
}

fn listed(descriptor: &Node) -> Option<(Option<Platform>, Digest)> {
    let platform = descriptor.get("platform").and_then(platform_of);
    let attests = platform.as_ref().is_some_and(Platform::is_unknown);
    digest(descriptor).filter(|_| !attests).map(|digest| (platform, digest))
}

fn platform_of(node: &Node) -> Option<Platform> {
    Some(Platform::of(node)).filter(|platform| !platform.os.is_empty())
}

fn digest(descriptor: &Node) -> Option<Digest> {
    Digest::parse(descriptor.get("digest")?.str().ok()?).ok()
}

fn parse(bytes: &[u8], limits: &Limits) -> Result<Node> {
    let parsed = json::parse(bytes, limits);
    let root = parsed.root.filter(|_| parsed.faults.is_empty());
    root.ok_or_else(|| not_an_image("the registry gave a document that is not strict JSON"))
}

fn not_an_image(why: &str) -> Error {
    Error::new(ErrorKind::NotAnImage, why)
}

fn absent(wanted: &Platform, there: &[Platform]) -> Error {
    let names: Vec<String> = there.iter().map(Platform::to_string).collect();
    let names = if names.is_empty() { "no platform".to_owned() } else { names.join(", ") };
    Error::usage(escape(format!("no {wanted} there; it has {names}").as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_no_references() {
        for text in ["image.tar", "./a.b/c", "../x/y.tar", "out.d/y.tar", "dir/image.tar", "/a/b", "-"] {
            assert!(!has_host(text), "{text}");
        }
        for text in ["ghcr.io/a/b:1", "localhost/x", "127.0.0.1:5000/lab/tiny:1"] {
            assert!(has_host(text), "{text}");
        }
    }
}
