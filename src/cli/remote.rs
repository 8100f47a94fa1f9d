//! Digests that the user names by an image in a registry.

use crate::{
    digest::Digest,
    error::{Error, Result},
    image::Platform,
    ladder::Rung,
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
    match Digest::parse_lenient(text) {
        Ok(digest) => Ok(Expected::Digest(digest)),
        Err(error) => reference(text).map(Expected::Published).ok_or_else(|| error.to_string()),
    }
}

impl Expected {
    /// The digest, fetched if it has to be; `rung` and `platform` as for [`published`].
    pub(super) fn resolve(&self, rung: Option<Rung>, platform: Option<&Platform>) -> Result<Digest> {
        match self {
            Expected::Digest(digest) => Ok(*digest),
            Expected::Published(reference) => published(reference, rung, platform),
        }
    }
}

/// The reference in `text`, unless a file of that name exists.
pub(super) fn reference(text: &str) -> Option<String> {
    if std::path::Path::new(text).exists() {
        return None;
    }
    #[cfg(feature = "registry")]
    return crate::registry::reference(text).map(str::to_owned);
    #[cfg(not(feature = "registry"))]
    None
}

/// The digest of one rung of a published image. Without a rung: of what the tag points to, or with a platform, of that
/// platform's manifest.
#[cfg(feature = "registry")]
pub(super) fn published(reference: &str, rung: Option<Rung>, platform: Option<&Platform>) -> Result<Digest> {
    let platform = platform.map(ToString::to_string);
    let published = crate::registry::published(reference, platform.as_deref())?;
    let several = || {
        let message =
            format!("several platforms; choose with --platform: {}", published.platforms.join(", "));
        Error::usage(crate::escape::escape(message.as_bytes())).at(crate::location::Location::new(reference))
    };
    match (rung, &platform) {
        (None, None) => Ok(published.digest),
        (None | Some(Rung::Manifest), _) => published.manifest.ok_or_else(several),
        (Some(Rung::Config), _) => published.config.ok_or_else(several),
        (Some(Rung::Index), _) => published.index.ok_or_else(|| Error::usage("the tag points to no index")),
        (Some(rung), _) => Err(Error::usage(format!("a registry does not tell the {} digest", rung.name()))),
    }
}

#[cfg(not(feature = "registry"))]
pub(super) fn published(_: &str, _: Option<Rung>, _: Option<&Platform>) -> Result<Digest> {
    Err(Error::usage("built without the registry feature"))
}
