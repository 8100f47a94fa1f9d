//! What is known of layers already: the same bytes are decoded once, under however many names and in however many
//! inputs they stand.
//!
//! Facts are kept by the digest and length of the bytes they are about, and by everything else they depend on. A name or
//! a descriptor's claim is never enough: whoever asks has hashed the bytes. That something of the same length was
//! decoded is what makes hashing first worth while. Must not know inputs.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{LayerFacts, Needs};
use crate::{
    digest::{Algorithm, Digest},
    limits::Limits,
};

/// Most bytes that are remembered, in each of two generations. A layer takes one and a half kilobytes; only listings,
/// which have to be asked for, take more.
const GENERATION: usize = 16 << 20;
/// What remembering one layer takes besides its facts, in bytes: the question twice, and room in two tables.
const ENTRY: usize = 1 << 10;

/// All that facts depend on, the bytes' own digest aside.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Question {
    /// How many bytes.
    pub(super) size: u64,
    /// The algorithms of the diff_ids.
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) needs: Needs,
    pub(super) limits: Limits,
}

/// What is known of a layer before its bytes are read.
pub(super) enum Chance<'k> {
    /// Nothing of its length was decoded: it is up to whoever asked.
    None(Running<'k>),
    /// Something of its length is being decoded at this moment.
    Soon,
    /// Something of its length was decoded: it may be the same.
    Now,
}

/// Facts of layers, for whoever meets the same bytes again. What was not asked for in a long time is forgotten.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    young: Generation,
    /// Facts that nobody asked for since the young generation began are forgotten with this one.
    old: Generation,
    /// How many are being answered.
    running: HashMap<Question, usize>,
}

#[derive(Debug, Default)]
struct Generation {
    facts: HashMap<Question, HashMap<Digest, Arc<LayerFacts>>>,
    bytes: usize,
}

impl Known {
    /// Whether hashing first may spare the decoding.
    pub(super) fn chance(&self, question: &Question) -> Chance<'_> {
        let mut state = self.lock();
        let answered = |generation: &Generation| generation.facts.contains_key(question);
        if answered(&state.young) || answered(&state.old) {
            return Chance::Now;
        }
        if state.running.contains_key(question) {
            return Chance::Soon;
        }
        Chance::None(self.begun(&mut state, question))
    }

    /// The facts of the bytes that have this digest.
    pub(super) fn facts(&self, question: &Question, digest: Digest) -> Option<Arc<LayerFacts>> {
        let mut state = self.lock();
        let of = |generation: &Generation| generation.facts.get(question)?.get(&digest).cloned();
        if let Some(facts) = of(&state.young) {
            return Some(facts);
        }
        let facts = of(&state.old)?;
        state.add(question.clone(), digest, Arc::clone(&facts));
        Some(facts)
    }

    /// Says that the question is going to be answered, until what this gives is dropped.
    pub(super) fn begin(&self, question: &Question) -> Running<'_> {
        self.begun(&mut self.lock(), question)
    }

    fn begun(&self, state: &mut State, question: &Question) -> Running<'_> {
        *state.running.entry(question.clone()).or_default() += 1;
        Running { known: self, question: question.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question that is being answered.
pub(super) struct Running<'k> {
    known: &'k Known,
    question: Question,
}

impl Running<'_> {
    /// The answer, for bytes of this digest.
    pub(super) fn answer(self, digest: Digest, facts: &Arc<LayerFacts>) {
        self.known.lock().add(self.question.clone(), digest, Arc::clone(facts));
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut state = self.known.lock();
        if let Some(count) = state.running.get_mut(&self.question) {
            *count -= 1;
            if *count == 0 {
                state.running.remove(&self.question);
            }
        }
    }
}

impl State {
    fn add(&mut self, question: Question, digest: Digest, facts: Arc<LayerFacts>) {
        let bytes = facts.footprint() + ENTRY;
        if bytes > GENERATION {
            return;
        }
        if self.young.bytes + bytes > GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.bytes += bytes;
        self.young.facts.entry(question).or_default().insert(digest, facts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        codec::{Compression, Frames},
        measure::{Counts, Newer},
    };

    fn question(size: u64) -> Question {
        let (needs, limits) = (Needs::verification(), Limits::default());
        Question { size, algorithms: vec![Algorithm::Sha256], needs, limits }
    }

    fn digest(number: u64) -> Digest {
        Digest::of(Algorithm::Sha256, &number.to_le_bytes())
    }

    fn facts(unpacked: u64) -> Arc<LayerFacts> {
        Arc::new(LayerFacts {
            compression: Compression::Gzip,
            fingerprint: None,
            frames: Frames::default(),
            fault: None,
            diff_ids: Vec::new(),
            unpacked,
            outcome: None,
            anomalies: Vec::new(),
            counts: Counts::default(),
            newest: None,
            newer: Newer::default(),
            members: Vec::new(),
            globals: Vec::new(),
        })
    }

    #[test]
    fn facts_are_for_the_same_bytes_and_the_same_question() {
        let known = Known::default();
        let Chance::None(running) = known.chance(&question(7)) else { panic!("nobody asked before") };
        assert!(matches!(known.chance(&question(7)), Chance::Soon));
        running.answer(digest(1), &facts(70));
        assert!(matches!(known.chance(&question(7)), Chance::Now));
        assert_eq!(known.facts(&question(7), digest(1)).map(|facts| facts.unpacked), Some(70));
        assert!(known.facts(&question(7), digest(2)).is_none());
        let changes: [fn(&mut Question); 4] = [
            |question| question.size = 8,
            |question| question.algorithms.push(Algorithm::Sha512),
            |question| question.needs.source_date_epoch = Some(0),
            |question| question.limits.max_unpacked = 1,
        ];
        for change in changes {
            let mut other = question(7);
            change(&mut other);
            assert!(matches!(known.chance(&other), Chance::None(_)), "{other:?}");
            assert!(known.facts(&other, digest(1)).is_none(), "{other:?}");
        }
    }

    #[test]
    fn what_ends_without_an_answer_leaves_nothing() {
        let known = Known::default();
        let running = [known.begin(&question(7)), known.begin(&question(7))];
        drop(running);
        assert!(matches!(known.chance(&question(7)), Chance::None(_)));
    }

    #[test]
    fn memory_is_bounded_and_what_is_asked_for_stays() {
        let known = Known::default();
        let fit = GENERATION / (facts(0).footprint() + ENTRY);
        for number in 0..4 * fit as u64 {
            known.begin(&question(number)).answer(digest(number), &facts(number));
            assert!(known.facts(&question(0), digest(0)).is_some(), "forgotten after {number}");
        }
        assert!(known.facts(&question(1), digest(1)).is_none());
        let state = known.lock();
        assert!(state.young.facts.len() <= fit && state.old.facts.len() <= fit);
    }
}
