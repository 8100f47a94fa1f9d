//! Pairing: which image, layer, entry or history step of one side is which of the other.
//!
//! Works on keys and positions only. Every answer is the same, mirrored, when the sides change places.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
};

/// Positions on the left and on the right that belong together; one of them is there at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pair {
    Both(usize, usize),
    Left(usize),
    Right(usize),
}

impl Pair {
    pub(super) fn left(self) -> Option<usize> {
        match self {
            Pair::Both(left, _) | Pair::Left(left) => Some(left),
            Pair::Right(_) => None,
        }
    }

    pub(super) fn right(self) -> Option<usize> {
        match self {
            Pair::Both(_, right) | Pair::Right(right) => Some(right),
            Pair::Left(_) => None,
        }
    }
}

/// Partners found so far between `left` and `right` things.
#[derive(Clone, Debug)]
pub(super) struct Pairing {
    partner_of_left: Vec<Option<usize>>,
    partner_of_right: Vec<Option<usize>>,
}

impl Pairing {
    pub(super) fn new(left: usize, right: usize) -> Pairing {
        Pairing { partner_of_left: vec![None; left], partner_of_right: vec![None; right] }
    }

    /// Pairs two things if both are still alone.
    pub(super) fn join(&mut self, left: usize, right: usize) -> bool {
        match (self.partner_of_left.get_mut(left), self.partner_of_right.get_mut(right)) {
            (Some(l @ None), Some(r @ None)) => {
                (*l, *r) = (Some(right), Some(left));
                true
            }
            _ => false,
        }
    }

    /// Pairs what has the same key: the first of a key with the first, the second with the second, and so on.
    /// What has no key stays alone.
    pub(super) fn by_key<K: Eq + Hash>(
        &mut self,
        left: impl IntoIterator<Item = Option<K>>,
        right: impl IntoIterator<Item = Option<K>>,
    ) {
        let mut waiting: HashMap<K, std::collections::VecDeque<usize>> = HashMap::new();
        for (position, key) in left.into_iter().enumerate() {
            if let (Some(key), Some(None)) = (key, self.partner_of_left.get(position)) {
                waiting.entry(key).or_default().push_back(position);
            }
        }
        for (position, key) in right.into_iter().enumerate() {
            let Some(key) = key else { continue };
            if let (Some(None), Some(queue)) = (self.partner_of_right.get(position), waiting.get_mut(&key))
                && let Some(partner) = queue.pop_front()
            {
                self.join(partner, position);
            }
        }
    }

    /// Pairs what is most alike: `likeness` of two things that are alone, 0 where they have nothing in common.
    pub(super) fn by_likeness(&mut self, likeness: impl Fn(usize, usize) -> u64) {
        let (left, right) = (self.lone_left(), self.lone_right());
        let mut candidates: Vec<(u64, usize, usize, usize, usize)> = Vec::new();
        for &l in &left {
            for &r in &right {
                let score = likeness(l, r);
                if score > 0 {
                    candidates.push((u64::MAX - score, l.abs_diff(r), l.saturating_add(r), l, r));
                }
            }
        }
        candidates.sort_unstable();
        for (.., l, r) in candidates {
            self.join(l, r);
        }
    }

    /// Pairs in their order what is left over between the same neighbours.
    pub(super) fn by_position(&mut self) {
        let gap = |partners: &[Option<usize>], mirrored: bool| {
            let mut gaps: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
            let mut below = None;
            for (position, partner) in partners.iter().enumerate() {
                match partner {
                    Some(partner) => below = Some(if mirrored { *partner } else { position }),
                    None => gaps.entry(below).or_default().push(position),
                }
            }
            gaps
        };
        let (left, right) = (gap(&self.partner_of_left, false), gap(&self.partner_of_right, true));
        for (below, positions) in left {
            for (l, r) in positions.into_iter().zip(right.get(&below).into_iter().flatten()) {
                self.join(l, *r);
            }
        }
    }

    pub(super) fn lone_left(&self) -> Vec<usize> {
        lone(&self.partner_of_left)
    }

    pub(super) fn lone_right(&self) -> Vec<usize> {
        lone(&self.partner_of_right)
    }

    /// All that have partners, in the order of the left.
    pub(super) fn joined(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.partner_of_left.iter().enumerate().filter_map(|(left, right)| Some((left, (*right)?)))
    }

    /// Whether everything has a partner at its own position.
    pub(super) fn is_straight(&self) -> bool {
        self.partner_of_left.len() == self.partner_of_right.len()
            && self.partner_of_left.iter().enumerate().all(|(i, partner)| *partner == Some(i))
    }

    /// All pairs in the order of the left; what only the right has stands before what follows it there.
    pub(super) fn pairs(&self) -> Vec<Pair> {
        let mut pairs = Vec::with_capacity(self.partner_of_left.len());
        let mut lone = self.lone_right().into_iter().peekable();
        for (left, partner) in self.partner_of_left.iter().enumerate() {
            if let Some(right) = partner {
                while let Some(alone) = lone.next_if(|alone| alone < right) {
                    pairs.push(Pair::Right(alone));
                }
            }
            pairs.push(partner.map_or(Pair::Left(left), |right| Pair::Both(left, right)));
        }
        pairs.extend(lone.map(Pair::Right));
        pairs
    }
}

fn lone(partners: &[Option<usize>]) -> Vec<usize> {
    let lone = partners.iter().enumerate().filter(|(_, partner)| partner.is_none());
    lone.map(|(position, _)| position).collect()
}

/// How many of the pairs stand in another order on the right than on the left: the least number that would have to
/// move. With it the positions in `pairs` of one such set.
pub(super) fn moved(pairs: &[Pair]) -> Vec<usize> {
    let both: Vec<(usize, usize)> = pairs
        .iter()
        .enumerate()
        .filter_map(|(at, pair)| match pair {
            Pair::Both(_, right) => Some((at, *right)),
            _ => None,
        })
        .collect();
    // Patience: the ends of the shortest rising runs of each length, and what each element stands behind.
    let mut tails: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(both.len());
    for (i, (_, right)) in both.iter().enumerate() {
        let length = tails.partition_point(|tail| both.get(*tail).is_some_and(|(_, r)| r < right));
        before.push(length.checked_sub(1).and_then(|shorter| tails.get(shorter).copied()));
        match tails.get_mut(length) {
            Some(tail) => *tail = i,
            None => tails.push(i),
        }
    }
    let mut stays = vec![false; both.len()];
    let mut next = tails.last().copied();
    while let Some(i) = next {
        if let Some(slot) = stays.get_mut(i) {
            *slot = true;
        }
        next = before.get(i).copied().flatten();
    }
    both.iter().zip(stays).filter(|(_, stays)| !stays).map(|((at, _), _)| *at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keyed(left: &str, right: &str) -> Pairing {
        let mut pairing = Pairing::new(left.len(), right.len());
        pairing.by_key(left.bytes().map(Some), right.bytes().map(Some));
        pairing
    }

    #[test]
    fn one_put_in_the_middle_leaves_the_rest_paired() {
        use Pair::{Both, Right};
        assert_eq!(keyed("abc", "axbc").pairs(), [Both(0, 0), Right(1), Both(1, 2), Both(2, 3)]);
        assert_eq!(keyed("aab", "ab").pairs(), [Both(0, 0), Pair::Left(1), Both(2, 1)]);
    }

    #[test]
    fn what_is_left_over_pairs_between_the_same_neighbours() {
        let mut pairing = keyed("a1b2", "a3b45");
        pairing.by_position();
        use Pair::{Both, Right};
        assert_eq!(pairing.pairs(), [Both(0, 0), Both(1, 1), Both(2, 2), Both(3, 3), Right(4)]);
    }

    #[test]
    fn the_most_alike_find_each_other_first() {
        let mut pairing = Pairing::new(2, 2);
        pairing.by_likeness(|l, r| [[1, 5], [0, 6]][l][r]);
        assert_eq!(pairing.pairs(), [Pair::Both(0, 0), Pair::Both(1, 1)]);
    }

    #[test]
    fn as_few_as_possible_have_moved() {
        assert_eq!(moved(&keyed("abcde", "abcde").pairs()), [0; 0]);
        assert_eq!(moved(&keyed("abcde", "eabcd").pairs()), [4]);
        assert_eq!(moved(&keyed("abcde", "abxdce").pairs()).len(), 1);
        assert_eq!(moved(&keyed("abcd", "dcba").pairs()).len(), 3);
    }

    proptest! {
        #[test]
        fn the_mirror_shows_the_mirrored(left in "[a-d]{0,8}", right in "[a-d]{0,8}") {
            let pairs = |left: &str, right: &str| {
                let mut pairing = keyed(left, right);
                let (l, r) = (left.as_bytes().to_vec(), right.as_bytes().to_vec());
                pairing.by_likeness(|a, b| u64::from(l[a].abs_diff(r[b]) == 1));
                pairing.by_position();
                pairing.pairs()
            };
            let mirror = |pair: &Pair| match *pair {
                Pair::Both(l, r) => Pair::Both(r, l),
                Pair::Left(l) => Pair::Right(l),
                Pair::Right(r) => Pair::Left(r),
            };
            let mut there = pairs(&left, &right);
            let mut back: Vec<Pair> = pairs(&right, &left).iter().map(mirror).collect();
            there.sort();
            back.sort();
            prop_assert_eq!(there, back);
        }
    }
}
