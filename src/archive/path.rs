//! Paths inside archives: cleaned as all readers of images clean them, joined, hashed. Must not know entries.

#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::arithmetic_side_effects
    )
)]

use std::{
    borrow::Cow,
    hash::{BuildHasher as _, Hasher as _},
};

use foldhash::quality::RandomState;

/// `path` without `.` components, doubled and trailing slashes; `None` if it is absolute or climbs with `..`.
pub(crate) fn clean_path(path: &[u8]) -> Option<Cow<'_, [u8]>> {
    if path.first() == Some(&b'/') {
        return None;
    }
    let mut is_clean = true;
    for part in components(path) {
        match part {
            b"" | b"." => is_clean = false,
            b".." => return None,
            _ => {}
        }
    }
    if is_clean {
        return Some(Cow::Borrowed(path));
    }
    let parts: Vec<&[u8]> = components(path).filter(|part| !matches!(*part, b"" | b".")).collect();
    Some(Cow::Owned(parts.join(&b'/')))
}

fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(path);
    std::iter::from_fn(move || {
        let path = rest.take()?;
        let slash = memchr::memchr(b'/', path).and_then(|slash| path.split_at_checked(slash));
        let Some((component, behind)) = slash else { return Some(path) };
        rest = behind.get(1..);
        Some(component)
    })
}

/// Where a symbolic link at `path` leads; `None` if that is outside the archive.
pub(super) fn join_link(path: &[u8], link: &[u8]) -> Option<Vec<u8>> {
    if link.first() == Some(&b'/') {
        return None;
    }
    let mut parts: Vec<&[u8]> = components(path).collect();
    parts.pop();
    for part in components(link) {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join(&b'/'))
}

/// Hashes of paths, made component by component: the hashes of all the folders above a path come with it, in time
/// proportional to its length, however deep it is.
#[derive(Debug, Default)]
pub(super) struct PathHashing(RandomState);

impl PathHashing {
    /// The length of each beginning of `path` that ends where a component does, and its hash; the whole path comes
    /// last.
    pub(super) fn prefixes<'p>(&self, path: &'p [u8]) -> impl Iterator<Item = (usize, u64)> + use<'p> {
        let (mut hasher, mut end) = (self.0.build_hasher(), 0_usize);
        components(path).map(move |component| {
            hasher.write(component);
            hasher.write_u8(b'/');
            let len = end.saturating_add(component.len());
            end = len.saturating_add(1);
            (len, hasher.finish())
        })
    }

    /// The hash of all of `path`.
    pub(super) fn whole(&self, path: &[u8]) -> u64 {
        self.prefixes(path).last().map_or(0, |(_, hash)| hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_inside() {
        assert_eq!(join_link(b"id/layer.tar", b"../x.tar").unwrap(), b"x.tar");
        assert_eq!(join_link(b"layer.tar", b"../x.tar"), None);
        assert_eq!(join_link(b"layer.tar", b"/etc/passwd"), None);
        assert_eq!(clean_path(b"./a//b/").unwrap(), &b"a/b"[..]);
        assert!(matches!(clean_path(b"a/b").unwrap(), Cow::Borrowed(b"a/b")));
        assert_eq!(clean_path(b"a/../b"), None);
        assert_eq!(clean_path(b"/a"), None);
    }
}
