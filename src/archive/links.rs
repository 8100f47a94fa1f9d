//! Where the links of an archive lead: inside of it only, and as far as Linux follows them.
//!
//! Knows entries and their paths. Must not look at content.

#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::arithmetic_side_effects
    )
)]

use super::{
    fault::FaultKind,
    index::{EntryId, EntryIndex, EntryKind, Found},
    path::{clean_path, join_link},
};
use crate::tar::PATH_MAX;

/// Most symbolic links on the way to a file: as many as Linux follows.
const MAX_HOPS: u8 = 40;

impl EntryIndex<'_> {
    /// What a hard link to `target` is another name of, if it stood behind all entries there are now: the last entry
    /// of that path, as it is.
    pub(super) fn origin(&self, target: &[u8]) -> Option<EntryId> {
        let target = clean_path(target).filter(|_| target.len() <= PATH_MAX)?;
        self.entry(self.last_of(&target)?).origin
    }

    /// Finds out where all links lead. To be called once all entries are there.
    pub(super) fn follow_links(&mut self) {
        let mut way = Vec::new();
        for position in 0..self.entries.len() {
            let mut at = EntryId::at(position);
            let (found, mut hops) = loop {
                if let Some(known) = self.ends.get(&at) {
                    break *known;
                }
                match self.step(at) {
                    Ok(next) => {
                        // What comes back here goes in a circle.
                        self.ends.insert(at, (Found::Broken(FaultKind::LinkLoop), 0));
                        way.push(at);
                        at = next;
                    }
                    Err(found) => break (found, 0),
                }
            };
            for link in way.drain(..).rev() {
                hops = hops.saturating_add(1);
                self.ends.insert(link, (found, hops));
            }
        }
    }

    /// The entry to which this one leads by one symbolic link; what there is where it leads to none.
    fn step(&self, id: EntryId) -> Result<EntryId, Found> {
        let entry = self.entry(id);
        let Some(origin) = entry.origin else {
            let outside = clean_path(&entry.link).is_none();
            let kind = if outside { FaultKind::LinkOutside } else { FaultKind::HardlinkMissing };
            return Err(Found::Broken(kind));
        };
        let target = self.entry(origin);
        match target.kind {
            EntryKind::File => Err(Found::File(origin)),
            EntryKind::Sparse => Err(Found::Sparse(origin)),
            EntryKind::Directory | EntryKind::Hardlink | EntryKind::Other => Err(Found::NotAFile(origin)),
            EntryKind::Symlink if target.link.len() > PATH_MAX => Err(Found::Broken(FaultKind::LinkLoop)),
            EntryKind::Symlink => {
                // A hard link to a symbolic link is that link at another place.
                let path = join_link(entry.path(), &target.link);
                let path = path.ok_or(Found::Broken(FaultKind::LinkOutside))?;
                self.last_of(&path).ok_or(Found::Missing)
            }
        }
    }

    /// Follows `path`, through links inside the archive, to a regular file. Of several entries of one path the last
    /// counts, as for every reader that extracts.
    pub fn find(&self, path: &[u8]) -> Found {
        match clean_path(path).filter(|_| path.len() <= PATH_MAX) {
            Some(path) => self.last_of(&path).map_or(Found::Missing, |id| self.follow(id)),
            None => Found::Broken(FaultKind::UnsafeName),
        }
    }

    /// Follows an entry, through links inside the archive, to a regular file.
    pub(super) fn follow(&self, id: EntryId) -> Found {
        match self.ends.get(&id) {
            Some((found, 0..=MAX_HOPS)) => *found,
            Some(_) => Found::Broken(FaultKind::LinkLoop),
            None => self.step(id).err().unwrap_or(Found::Missing),
        }
    }

    /// Whether the entry of this (clean) path is a link.
    pub fn is_link(&self, path: &[u8]) -> bool {
        let is_link = |kind| matches!(kind, EntryKind::Symlink | EntryKind::Hardlink);
        self.last_of(path).is_some_and(|id| is_link(self.entry(id).kind))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::limits::Limits;

    /// Chains of symbolic links of every length, in both orders, and circles: what the system opens is found, and nothing
    /// else.
    #[test]
    fn as_many_links_are_followed_as_the_system_follows() {
        let header = |kind: u8, name: &str, link: &str| {
            let mut header = tar::Header::new_ustar();
            header.set_path(name).unwrap();
            header.set_entry_type(tar::EntryType::new(kind));
            header.set_size(0);
            if !link.is_empty() {
                header.set_link_name(link).unwrap();
            }
            header.set_cksum();
            header.as_bytes().to_vec()
        };
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("0"), "").unwrap();
        let mut links: Vec<(String, String)> =
            (1..100_u32).map(|number| (number.to_string(), format!("./{}", number - 1))).collect();
        for (name, target) in [("a", "b"), ("b", "c"), ("c", "b"), ("d", "d"), ("e", "gone"), ("f", "d")] {
            links.push((name.to_owned(), target.to_owned()));
        }
        for (name, target) in &links {
            std::os::unix::fs::symlink(target, folder.path().join(name)).unwrap();
        }
        let mut members: Vec<Vec<u8>> =
            links.iter().map(|(name, target)| header(b'2', name, target)).collect();
        members.push(header(b'0', "0", ""));
        for _ in 0..2 {
            let archive = [members.concat(), vec![0; 1024]].concat();
            let index = EntryIndex::of_tar(&archive, &Limits::default());
            for (name, _) in &links {
                let opens = std::fs::File::open(folder.path().join(name)).is_ok();
                let found = matches!(index.find(name.as_bytes()), Found::File(_));
                assert_eq!(found, opens, "{name}");
            }
            members.reverse();
        }
    }
}
