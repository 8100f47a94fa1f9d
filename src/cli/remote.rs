//! Digests that the user names by an image in a registry.

#[cfg(feature = "registry")]
use crate::registry::{has_host, is_name};
use crate::{
    digest::Digest,
    error::{Error, Result},
    image::Platform,
    ladder::Rung,
    limits::Limits,
};

/// A digest as the user gave it.
#[derive(Clone, Debug)]
pub(super) enum Expected {
    /// Typed out.
    Digest(Digest),
    /// What this reference has in its registry.
    Published(String),
}

/// Reads `sha256:HEX`, `HEX` or a reference to an image in a registry.
pub(super) fn parse_expected(text: &str) -> std::result::Result<Expected, String> {
    match (Digest::parse_lenient(text), named(text)) {
        (Ok(digest), _) => Ok(Expected::Digest(digest)),
        (Err(_), Some(name)) => Ok(Expected::Published(name.to_owned())),
        (Err(error), None) => Err(format!("{error}; {WRITTEN}")),
    }
}

impl Expected {
    /// The digest, fetched if it has to be; `rung`, `platform` and `limits` as for [`published`].
    pub(super) fn resolve(
        &self,
        rung: Option<Rung>,
        platform: Option<&Platform>,
        limits: &Limits,
    ) -> Result<Digest> {
        match self {
            Expected::Digest(digest) => Ok(*digest),
            Expected::Published(reference) => published(reference, rung, platform, limits),
        }
    }
}

/// What names an image in a registry and never a file.
const SCHEME: &str = "docker://";

const WRITTEN: &str = "an image in a registry is written HOST/NAME:TAG or docker://NAME:TAG";

/// The image in a registry that `text` names: `docker://NAME`, or a name with its registry's host.
fn named(text: &str) -> Option<&str> {
    text.strip_prefix(SCHEME).or_else(|| has_host(text).then_some(text))
}

/// The image in a registry that `text` names where it could be a file, too: a file that is there goes before a host,
/// but not before `docker://`, so that nobody can put one in the way of who says that.
pub(super) fn reference(text: &str) -> Option<&str> {
    named(text).filter(|_| text.starts_with(SCHEME) || !std::path::Path::new(text).exists())
}

/// `error` of opening `text` as a file; where there is none and an image may have been meant, how that is written.
pub(super) fn not_opened(error: Error, text: &str) -> Error {
    let absent = error.source.as_ref().is_some_and(|source| source.kind() == std::io::ErrorKind::NotFound);
    if !absent || !is_name(text) {
        return error;
    }
    Error { message: format!("no such file; {WRITTEN}"), source: None, ..error }
}

/// The digest of one rung of a published image. Without a rung: of what the tag points to, or with a platform, of that
/// platform's manifest.
#[cfg(feature = "registry")]
pub(super) fn published(
    reference: &str,
    rung: Option<Rung>,
    platform: Option<&Platform>,
    limits: &Limits,
) -> Result<Digest> {
    let published = crate::registry::published(reference, platform, limits)?;
    let at = |error: Error| error.at(crate::location::Location::new(reference));
    let several = || {
        let platforms: Vec<String> = published.platforms.iter().map(Platform::to_string).collect();
        let message = format!("several platforms; choose with --platform: {}", platforms.join(", "));
        at(Error::usage(crate::escape::escape(message.as_bytes())))
    };
    match (rung, platform) {
        (None, None) => Ok(published.digest),
        (None | Some(Rung::Manifest), _) => published.manifest.ok_or_else(several),
        (Some(Rung::Config), _) => published.config.ok_or_else(several),
        (Some(Rung::Index), _) => {
            published.index.ok_or_else(|| at(Error::usage("the tag points to no index")))
        }
        (Some(rung), _) => {
            Err(at(Error::usage(format!("a registry does not tell the {} digest", rung.name()))))
        }
    }
}

#[cfg(not(feature = "registry"))]
pub(super) fn published(_: &str, _: Option<Rung>, _: Option<&Platform>, _: &Limits) -> Result<Digest> {
    Err(Error::usage("built without the registry feature"))
}

#[cfg(not(feature = "registry"))]
fn has_host(_: &str) -> bool {
    false
}

#[cfg(not(feature = "registry"))]
fn is_name(_: &str) -> bool {
    false
}
