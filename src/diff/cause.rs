//! Causes: what a difference comes from, and the differences that bear them.
//!
//! Knows the closed list of causes. Must not know how a difference was found.

use std::{borrow::Cow, collections::BTreeMap};

use crate::rules::Rule;

/// What one difference comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// Data of a file or value of a document.
    Content,
    /// It stands on the right only.
    Added,
    /// It stands on the left only.
    Removed,
    /// Permission bits.
    Mode,
    /// User or group.
    Ownership,
    /// An extended attribute.
    Xattr,
    /// The same things in another order, where no rule can tell which order is the right one.
    Order,
    /// The same thing written with other bytes, where no rule names it.
    Encoding,
    /// A normalisation rule, by its id: it brings both sides to the same form.
    Rule(&'static str),
    /// Nothing of its own: a digest, a size or a reference that follows from something else that is listed.
    Derived,
}

impl Cause {
    /// The causes that are not rules.
    const OWN: [Cause; 9] = [
        Cause::Content,
        Cause::Added,
        Cause::Removed,
        Cause::Mode,
        Cause::Ownership,
        Cause::Xattr,
        Cause::Order,
        Cause::Encoding,
        Cause::Derived,
    ];

    /// Every cause there can be, rules last.
    pub fn all() -> impl Iterator<Item = Cause> {
        let rules = crate::rules::RULES.iter().map(|rule| Cause::Rule(rule.id));
        Cause::OWN.into_iter().chain(rules)
    }

    /// The stable name in reports and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Content => "content",
            Cause::Added => "added",
            Cause::Removed => "removed",
            Cause::Mode => "mode",
            Cause::Ownership => "ownership",
            Cause::Xattr => "xattr",
            Cause::Order => "order",
            Cause::Encoding => "encoding",
            Cause::Rule(id) => id,
            Cause::Derived => "derived",
        }
    }

    /// The rule, if the cause is one.
    pub fn rule(self) -> Option<&'static Rule> {
        match self {
            Cause::Rule(id) => Rule::by_id(id),
            _ => None,
        }
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it comes from.
    pub cause: Cause,
    /// What differs: a field of an entry, a JSON pointer, a part of a stream; names in it are escaped.
    pub field: Cow<'static, str>,
    /// The left value: JSON as it stands in the document, else text, escaped as by [`escape`](crate::escape::escape).
    /// `None` where only the right has one.
    pub left: Option<String>,
    /// The right value, likewise.
    pub right: Option<String>,
}

impl Change {
    /// A difference between two values.
    pub(super) fn new(
        cause: Cause,
        field: impl Into<Cow<'static, str>>,
        left: impl Into<Option<String>>,
        right: impl Into<Option<String>>,
    ) -> Change {
        Change { cause, field: field.into(), left: left.into(), right: right.into() }
    }
}

/// How many differences of each cause there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<Cause, usize>);

impl Tally {
    /// Counts one more.
    pub(super) fn add(&mut self, cause: Cause) {
        *self.0.entry(cause).or_default() += 1;
    }

    /// The causes and their numbers, in the order of [`Cause`]: those that no rule removes first.
    pub fn iter(&self) -> impl Iterator<Item = (Cause, usize)> + '_ {
        self.0.iter().map(|(cause, count)| (*cause, *count))
    }

    /// Whether nothing was counted but what is derived.
    pub fn is_empty(&self) -> bool {
        self.iter().all(|(cause, _)| cause == Cause::Derived)
    }
}

impl<'c> FromIterator<&'c Change> for Tally {
    fn from_iter<I: IntoIterator<Item = &'c Change>>(changes: I) -> Tally {
        let mut tally = Tally::default();
        changes.into_iter().for_each(|change| tally.add(change.cause));
        tally
    }
}
