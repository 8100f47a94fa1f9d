//! The order of the `sorted` level: by path, parents first, hard links behind their targets.
//!
//! Refuses layers in which the order means something: a path that stands twice, a path that is there and whited out, a
//! member below one that is no folder. Must not know how members are written.

use std::collections::{BTreeMap, HashMap};

use crate::{
    escape::escape,
    stack::path_of,
    tar::{Kind, Member, PATH_MAX, WHITEOUT_PREFIX},
};

/// What the order depends on, one for each member of a layer, in archive order.
#[derive(Default)]
pub(crate) struct Order {
    members: Vec<Place>,
}

struct Place {
    path: Vec<u8>,
    target: Option<Vec<u8>>,
    folder: bool,
}

impl Order {
    /// Adds the next member.
    pub(crate) fn add(&mut self, member: &Member) {
        self.members.push(Place {
            path: path_of(&member.name),
            target: (member.kind == Kind::Hardlink).then(|| path_of(&member.link)),
            folder: member.kind == Kind::Directory,
        });
    }

    /// The members' positions in the order to write them in; `None` if they stand in it already. The error says why
    /// they cannot be sorted.
    pub(crate) fn sorted(&self) -> Result<Option<Vec<usize>>, String> {
        let by_path: HashMap<&[u8], usize> =
            self.members.iter().enumerate().map(|(i, place)| (place.path.as_slice(), i)).collect();
        self.refuse(&by_path)?;
        let mut sorted: Vec<usize> = (0..self.members.len()).collect();
        // Component by component, so that what is in a folder stays together, as who walks a tree finds it.
        sorted.sort_by(|a, b| self.components(*a).cmp(self.components(*b)));
        let order = self.behind_targets(&sorted, &by_path);
        let unsorted = order.iter().enumerate().any(|(position, member)| position != *member);
        Ok(unsorted.then_some(order))
    }

    fn components(&self, member: usize) -> impl Iterator<Item = &[u8]> {
        let path = self.members.get(member).map_or(&b""[..], |place| &place.path);
        path.split(|byte| *byte == b'/').filter(|part| !part.is_empty())
    }

    fn refuse(&self, by_path: &HashMap<&[u8], usize>) -> Result<(), String> {
        for (i, place) in self.members.iter().enumerate() {
            let path = place.path.as_slice();
            let refused =
                |why: &str| Err(format!("{} {why}, so that the order of members matters", escape(path)));
            if by_path.get(path) != Some(&i) {
                return refused("stands twice");
            }
            if path.len() > PATH_MAX {
                return refused("is longer than paths can be");
            }
            let name_at = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
            let (folder, name) = path.split_at(name_at);
            if let Some(gone) = name.strip_prefix(WHITEOUT_PREFIX)
                && by_path.contains_key([folder, gone].concat().as_slice())
            {
                return refused("whites out a path of the same layer");
            }
            let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
            for above in slashes.filter_map(|(at, _)| by_path.get(path.get(..at)?)) {
                if self.members.get(*above).is_some_and(|above| !above.folder) {
                    return refused("lies below a path that is no folder");
                }
            }
        }
        Ok(())
    }

    /// Puts each hard link whose target comes later right behind it.
    fn behind_targets(&self, sorted: &[usize], by_path: &HashMap<&[u8], usize>) -> Vec<usize> {
        let mut order = Vec::with_capacity(sorted.len());
        let mut written = vec![false; self.members.len()];
        let mut waiting: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for &member in sorted {
            let target = self.members.get(member).and_then(|place| by_path.get(place.target.as_deref()?));
            if let Some(target) = target.filter(|target| written.get(**target) == Some(&false)) {
                waiting.entry(*target).or_default().push(member);
                continue;
            }
            let mut ready = vec![member];
            while let Some(next) = ready.pop() {
                order.push(next);
                if let Some(slot) = written.get_mut(next) {
                    *slot = true;
                }
                ready.extend(waiting.remove(&next).into_iter().flatten().rev());
            }
        }
        // Links in a circle have no target to wait for; they stay as they are sorted.
        order.extend(sorted.iter().filter(|member| written.get(**member) == Some(&false)));
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(members: &[(&str, Option<&str>)]) -> Result<Vec<String>, String> {
        let mut order = Order::default();
        for (name, link) in members {
            let kind = match link {
                Some(_) => Kind::Hardlink,
                None if name.ends_with('/') => Kind::Directory,
                None => Kind::Regular,
            };
            let link = link.unwrap_or_default().into();
            order.add(&Member { name: (*name).into(), link, kind, ..Member::default() });
        }
        let sorted = order.sorted()?.unwrap_or((0..members.len()).collect());
        Ok(sorted.into_iter().map(|i| members[i].0.to_owned()).collect())
    }

    #[test]
    fn folders_keep_their_content_together() {
        let sorted = order(&[("a.b", None), ("b", None), ("a/x", None), ("./a/", None)]).unwrap();
        assert_eq!(sorted, ["./a/", "a/x", "a.b", "b"]);
    }

    #[test]
    fn hard_links_wait_for_their_targets() {
        let members = [("a", Some("z")), ("b", Some("a")), ("c", None), ("y", Some("/z")), ("z", None)];
        assert_eq!(order(&members).unwrap(), ["c", "z", "a", "b", "y"]);
        let mut reversed = members;
        reversed.reverse();
        assert_eq!(order(&reversed).unwrap(), ["c", "z", "a", "b", "y"]);
        assert_eq!(order(&[("b", Some("lower")), ("a", Some("b"))]).unwrap(), ["b", "a"]);
        assert_eq!(order(&[("b", Some("a")), ("a", Some("b"))]).unwrap(), ["a", "b"]);
        assert_eq!(order(&[("a", Some("a"))]).unwrap(), ["a"]);
    }

    #[test]
    fn where_the_order_means_something_it_is_refused() {
        for members in [
            &[("a", None), ("./a", None)][..],
            &[("d/", None), ("d/x", None), ("d/.wh.x", None)],
            &[("l", None), ("l/x", None)],
            &[("d/", None), ("d", None)],
            &[("b", None), ("a/", None), ("a/../b", None)],
        ] {
            assert!(order(members).is_err(), "{members:?}");
        }
        assert!(order(&[("d/", None), ("d/.wh.y", None), ("d/.wh..wh..opq", None)]).is_ok());
    }
}
