//! What a policy allows layers to hold.

use std::collections::BTreeSet;

use globset::{GlobBuilder, GlobMatcher};

use super::{
    super::{Case, Options, check::Hit},
    images, layers,
};
use crate::{
    error::{Error, Result},
    escape::escape,
    stack,
    tar::PATH_MAX,
};

/// What layers may hold; nothing is forbidden by default.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// Patterns of paths that no layer may hold.
    pub forbidden: Vec<Pattern>,
    /// Most bytes of a layer as stored.
    pub max_stored: Option<u64>,
    /// Most bytes of a layer's tar stream.
    pub max_unpacked: Option<u64>,
    /// Most layers of an image.
    pub max_layers: Option<u64>,
}

/// A pattern of paths: `*` within a folder, `**` across folders; one without `/`, but at its end, is looked for in every
/// folder. What a forbidden folder holds is forbidden too.
#[derive(Clone, Debug)]
pub struct Pattern(GlobMatcher);

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// A usage error if it is malformed, or no path could match it.
    pub fn new(text: &str) -> Result<Pattern> {
        let wrong = |why: String| {
            let shown = escape(text.as_bytes());
            Error::usage(format!("no valid pattern for files: {shown}: {}", escape(why.as_bytes())))
        };
        let path = stack::pattern_of(text).map_err(|why| wrong(why.to_owned()))?;
        let anchored = text.trim_end_matches('/').contains('/');
        let glob = if anchored { path.to_owned() } else { format!("**/{path}") };
        let glob = GlobBuilder::new(&glob).literal_separator(true).build();
        glob.map(|glob| Pattern(glob.compile_matcher())).map_err(|e| wrong(e.kind().to_string()))
    }

    /// The path itself, or the folder above it, that the pattern matches.
    fn finds<'p>(&self, path: &'p [u8]) -> Option<&'p [u8]> {
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(end, _)| end);
        ends.chain([path.len()])
            .take_while(|end| *end <= PATH_MAX)
            .filter_map(|end| path.get(..end))
            .find(|path| !path.is_empty() && self.0.is_match(&*String::from_utf8_lossy(path)))
    }
}

pub(super) fn files_forbidden(options: &Options) -> std::result::Result<(), &'static str> {
    if options.content.forbidden.is_empty() { Err("no files forbidden") } else { Ok(()) }
}

pub(super) fn forbidden(case: &Case<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (id, layer) in layers(case) {
        let at = &case.graph.blob(id).at;
        let mut told = BTreeSet::new();
        for listed in layer.members.iter().filter(|listed| stack::whiteout(&listed.member).is_none()) {
            let path = stack::path_of(&listed.member.name);
            let found = case
                .options
                .content
                .forbidden
                .iter()
                .find_map(|pattern| Some((pattern.finds(&path)?.to_vec(), pattern)));
            if let Some((path, Pattern(glob))) = found.filter(|(path, _)| told.insert(path.clone())) {
                hits.push(Hit::new(at.then(path), escape(glob.glob().glob().as_bytes())));
            }
        }
    }
    hits
}

pub(super) fn size_limited(options: &Options) -> std::result::Result<(), &'static str> {
    let Content { max_stored, max_unpacked, .. } = options.content;
    if max_stored.or(max_unpacked).is_some() { Ok(()) } else { Err("no size limited") }
}

pub(super) fn layer_size(case: &Case<'_>) -> Vec<Hit> {
    let content = &case.options.content;
    let mut hits = Vec::new();
    for (id, layer) in layers(case) {
        let stored = case.facts.blobs.get(&id).map_or(0, |blob| blob.size);
        let limits =
            [("stored", stored, content.max_stored), ("unpacked", layer.unpacked, content.max_unpacked)];
        for (what, size, limit) in limits {
            if let Some(limit) = limit.filter(|limit| size > *limit) {
                let detail = format!("{size} bytes {what}, allowed are {limit}");
                hits.push(Hit::new(case.graph.blob(id).at.clone(), detail));
            }
        }
    }
    hits
}

pub(super) fn count_limited(options: &Options) -> std::result::Result<(), &'static str> {
    options.content.max_layers.map(|_| ()).ok_or("no number of layers limited")
}

pub(super) fn layer_count(case: &Case<'_>) -> Vec<Hit> {
    let Some(limit) = case.options.content.max_layers else { return Vec::new() };
    let count = |image: &crate::image::Image| image.layers.len() as u64;
    images(case)
        .filter(|image| count(image) > limit)
        .map(|image| Hit::new(image.at.clone(), format!("{} layers, allowed are {limit}", count(image))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_reach_as_far_as_said() {
        let finds = |pattern: &str, path: &str| {
            let pattern = Pattern::new(pattern).unwrap();
            pattern.finds(path.as_bytes()).map(|found| String::from_utf8_lossy(found).into_owned())
        };
        for (pattern, path, found) in [
            ("*.pem", "etc/ssl/key.pem", Some("etc/ssl/key.pem")),
            ("*.pem", "key.pem", Some("key.pem")),
            ("/*.pem", "etc/key.pem", None),
            ("**/.git", "srv/app/.git/config", Some("srv/app/.git")),
            ("**/.git", ".git", Some(".git")),
            ("**/.git", "srv/.gitignore", None),
            ("etc/*", "etc/ssl/key.pem", Some("etc/ssl")),
            ("root/**", "root/.ssh/id", Some("root/.ssh")),
            // As gitignore(5) reads a slash at the beginning and one at the end.
            ("/etc/passwd", "etc/passwd", Some("etc/passwd")),
            ("./etc/passwd", "etc/passwd", Some("etc/passwd")),
            ("/passwd", "etc/passwd", None),
            ("./passwd", "etc/passwd", None),
            ("srv/app/", "srv/app/x", Some("srv/app")),
            ("/etc/", "etc/passwd", Some("etc")),
            ("/etc/", "usr/etc/passwd", None),
            ("etc/", "usr/etc/passwd", Some("usr/etc")),
        ] {
            assert_eq!(finds(pattern, path).as_deref(), found, "{pattern} in {path}");
        }
        for pattern in ["a[", "", "/", "opt//app", "/./etc", "a/../b", "..", "../etc", ".", "././a"] {
            assert!(Pattern::new(pattern).is_err(), "{pattern}");
        }
    }
}
