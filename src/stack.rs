//! Layers as file systems: what whiteouts mean, and the one tree that a stack of layers makes.
//!
//! Knows the OCI layer rules (layer.md, "Whiteouts"). Works on listed members only; nothing is decoded or extracted.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::arithmetic_side_effects
    )
)]

use std::collections::BTreeMap;

use crate::{
    digest::Digest,
    tar::{AUFS_PREFIX, Kind, Member, OPAQUE_WHITEOUT, WHITEOUT_PREFIX, split_base},
};

/// One member of a layer as a listing shows it.
#[derive(Clone, Debug)]
pub struct ListedMember {
    /// The member.
    pub member: Member,
    /// SHA-256 of its content, for regular files, if asked for.
    pub digest: Option<Digest>,
}

/// What a whiteout removes from the layers below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whiteout {
    /// One path and everything under it.
    Path(Vec<u8>),
    /// Everything under a directory, but not the directory.
    Opaque(Vec<u8>),
    /// Nothing: AUFS's own metadata.
    Metadata,
}

/// A member's path in the file system: without leading `/`, `.` and empty parts; `..` goes up, at most to the root,
/// as chroot-ed extraction has it.
pub fn path_of(name: &[u8]) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in name.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join(&b'/')
}

/// A pattern of such paths in their own form, without `/` or `./` before it and `/` behind it.
///
/// # Errors
/// Why no path could match: a part is empty, `.` or `..`.
pub fn pattern_of(text: &str) -> Result<&str, &'static str> {
    let text = text.strip_prefix("./").unwrap_or(text);
    let pattern = text.trim_start_matches('/').trim_end_matches('/');
    if pattern.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err("no path has parts that are empty, . or ..");
    }
    Ok(pattern)
}

/// What `member` removes, if it is a whiteout.
pub fn whiteout(member: &Member) -> Option<Whiteout> {
    let path = path_of(&member.name);
    let (folder, base) = split_base(&path);
    if base == OPAQUE_WHITEOUT {
        return Some(Whiteout::Opaque(folder.to_vec()));
    }
    if base.starts_with(AUFS_PREFIX) {
        return Some(Whiteout::Metadata);
    }
    let hidden = base.strip_prefix(WHITEOUT_PREFIX)?;
    // Without a name after the prefix it is the folder that Docker removes.
    Some(Whiteout::Path(
        [folder, hidden].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(&b'/'),
    ))
}

/// Where a path of the merged file system comes from.
#[derive(Clone, Copy, Debug)]
pub struct Placed<'m> {
    /// Number of the layer, counted from 0.
    pub layer: usize,
    /// The member that made it.
    pub listed: &'m ListedMember,
    /// Of what it is a name, and that member's layer: of a hard link what its target was when the link was made, else
    /// the member itself.
    pub file: (usize, &'m ListedMember),
}

/// The file system that `layers`, lowest first, make together; by path, sorted.
pub fn merge<'m>(layers: impl IntoIterator<Item = &'m [ListedMember]>) -> BTreeMap<Vec<u8>, Placed<'m>> {
    let mut tree: BTreeMap<Vec<u8>, Placed<'m>> = BTreeMap::new();
    for (layer, members) in layers.into_iter().enumerate() {
        // Whiteouts remove what lower layers have, never what their own layer brings, wherever they stand in it.
        for removed in members.iter().filter_map(|listed| whiteout(&listed.member)) {
            match removed {
                Whiteout::Path(path) => {
                    remove_below(&mut tree, &path);
                    if !path.is_empty() {
                        tree.remove(&path);
                    }
                }
                Whiteout::Opaque(folder) => remove_below(&mut tree, &folder),
                Whiteout::Metadata => {}
            }
        }
        for listed in members.iter().filter(|listed| whiteout(&listed.member).is_none()) {
            let path = path_of(&listed.member.name);
            if listed.member.kind != Kind::Directory {
                remove_below(&mut tree, &path);
            }
            let target = || tree.get(&path_of(&listed.member.link)).map(|target| target.file);
            let file =
                (listed.member.kind == Kind::Hardlink).then(target).flatten().unwrap_or((layer, listed));
            tree.insert(path, Placed { layer, listed, file });
        }
    }
    tree
}

fn remove_below(tree: &mut BTreeMap<Vec<u8>, Placed<'_>>, folder: &[u8]) {
    if folder.is_empty() {
        return tree.retain(|path, _| path.is_empty());
    }
    let from = [folder, b"/"].concat();
    // '0' follows '/' in ASCII: everything below the folder sorts between the two.
    let to = [folder, b"0"].concat();
    let below: Vec<Vec<u8>> = tree.range(from..to).map(|(path, _)| path.clone()).collect();
    for path in below {
        tree.remove(&path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(members: &[(&str, Kind)]) -> Vec<ListedMember> {
        let member = |(name, kind): &(&str, Kind)| Member {
            name: name.as_bytes().to_vec(),
            kind: *kind,
            ..Member::default()
        };
        members.iter().map(|m| ListedMember { member: member(m), digest: None }).collect()
    }

    fn merged(layers: &[Vec<ListedMember>]) -> Vec<(String, usize)> {
        let tree = merge(layers.iter().map(Vec::as_slice));
        tree.into_iter().map(|(path, placed)| (String::from_utf8(path).unwrap(), placed.layer)).collect()
    }

    #[test]
    fn the_root_itself_stays() {
        use Kind::{Directory, Regular};
        let lower = || layer(&[("./", Directory), ("a", Regular), ("d/", Directory), ("d/x", Regular)]);
        for (marker, left) in [
            (".wh..wh..opq", &[""][..]),
            (".wh.", &[""]),
            ("d/.wh.", &["", "a"]),
            ("d/.wh..wh..opq", &["", "a", "d"]),
        ] {
            let paths: Vec<String> =
                merged(&[lower(), layer(&[(marker, Regular)])]).into_iter().map(|(path, _)| path).collect();
            assert_eq!(paths, left, "{marker}");
        }
    }

    #[test]
    fn whiteouts_hide_only_what_lies_below() {
        use Kind::{Directory, Regular};
        let lower =
            layer(&[("a/", Directory), ("a/x", Regular), ("a/y", Regular), ("b", Regular), ("a0", Regular)]);
        let upper =
            layer(&[("a/.wh.x", Regular), ("b", Directory), ("b/.wh..wh..opq", Regular), ("b/new", Regular)]);
        let expected = [("a", 0), ("a/y", 0), ("a0", 0), ("b", 1), ("b/new", 1)];
        assert_eq!(merged(&[lower, upper]), expected.map(|(path, layer)| (path.to_owned(), layer)));
    }

    #[test]
    fn an_opaque_marker_spares_its_own_layer_and_dashes_are_no_whiteouts() {
        use Kind::{Directory, Regular};
        let lower = layer(&[("d/", Directory), ("d/old", Regular)]);
        let upper = layer(&[
            ("d/new", Regular),
            ("d/.wh..wh..opq", Regular),
            (".wh-real", Regular),
            ("d/.wh..wh.plnk", Regular),
        ]);
        let expected = [(".wh-real", 1), ("d", 0), ("d/new", 1)];
        assert_eq!(merged(&[lower, upper]), expected.map(|(path, layer)| (path.to_owned(), layer)));
    }

    #[test]
    fn a_file_replaces_a_directory_and_all_below_it() {
        use Kind::{Directory, Regular};
        let lower = layer(&[("d/", Directory), ("d/x", Regular)]);
        assert_eq!(merged(&[lower, layer(&[("d", Regular)])]), [("d".to_owned(), 1)]);
    }
}
