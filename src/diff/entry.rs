//! Entries of two layers: which fields differ, and from which cause.
//!
//! Compares listed members; a field that a rule brings to one form on both sides is that rule's. Must not know layers.

use super::{
    cause::{Cause, Change},
    show,
};
use crate::{
    rules::{Context, Level, RULES, Rule},
    stack::{self, ListedMember},
    tar::{self, Dialect, Kind, Member, XATTR_PREFIX, is_header_field},
};

/// One field of an entry.
struct Field {
    name: &'static str,
    /// The cause where no rule explains the difference.
    cause: Cause,
    /// Its value as text; two entries differ in the field where this differs.
    value: fn(&Member) -> Option<String>,
}

/// The fields, in the order they are reported in. Data and extended attributes are compared on their own.
const FIELDS: &[Field] = &[
    Field { name: "type", cause: Cause::Content, value: |m| Some(show::kind(m.kind).into_owned()) },
    Field { name: "target", cause: Cause::Content, value: |m| is_link(m).then(|| show::lossless(&m.link)) },
    Field { name: "device", cause: Cause::Content, value: device },
    Field { name: "mode", cause: Cause::Mode, value: |m| Some(show::mode(m.mode)) },
    Field { name: "uid", cause: Cause::Ownership, value: |m| Some(m.uid.to_string()) },
    Field { name: "gid", cause: Cause::Ownership, value: |m| Some(m.gid.to_string()) },
    Field { name: "uname", cause: Cause::Ownership, value: |m| name(&m.uname) },
    Field { name: "gname", cause: Cause::Ownership, value: |m| name(&m.gname) },
    Field { name: "mtime", cause: Cause::Content, value: |m| Some(show::time(m.mtime)) },
    Field { name: "atime", cause: Cause::Content, value: |m| m.atime.map(show::time) },
    Field { name: "ctime", cause: Cause::Content, value: |m| m.ctime.map(show::time) },
    Field { name: "name", cause: Cause::Encoding, value: |m| Some(show::lossless(&m.name)) },
    Field { name: "dialect", cause: Cause::Encoding, value: |m| Some(dialect(m).to_owned()) },
    Field { name: "unused fields", cause: Cause::Encoding, value: unused },
    Field {
        name: "sparse",
        cause: Cause::Encoding,
        value: |m| m.sparse.as_ref().map(|map| format!("{map:?}")),
    },
];

fn is_link(member: &Member) -> bool {
    matches!(member.kind, Kind::Symlink | Kind::Hardlink)
}

fn name(name: &[u8]) -> Option<String> {
    (!name.is_empty()).then(|| show::lossless(name))
}

fn device(member: &Member) -> Option<String> {
    matches!(member.kind, Kind::CharDevice | Kind::BlockDevice)
        .then(|| format!("{},{}", member.devmajor, member.devminor))
}

/// A device number of what is no device, a link target of what is no link. The target stands last, as it may look like
/// a number.
fn unused(member: &Member) -> Option<String> {
    let numbers = (member.devmajor, member.devminor);
    let numbers = (device(member).is_none() && numbers != (0, 0))
        .then(|| format!("device {},{}", numbers.0, numbers.1));
    let link = (!is_link(member) && !member.link.is_empty())
        .then(|| format!("target {}", show::lossless(&member.link)));
    let words: Vec<String> = numbers.into_iter().chain(link).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// The dialect as far as it is a choice: a ustar member is a PAX member that needs no records, and whether it needs
/// them follows from its other fields.
fn dialect(member: &Member) -> &'static str {
    match member.dialect {
        Dialect::Ustar => Dialect::Pax.name(),
        other => other.name(),
    }
}

/// Whether two entries are known to hold the same data. A file whose holes are over the limit has no digest.
pub(super) fn same_data(left: &ListedMember, right: &ListedMember) -> bool {
    let known = left.digest.is_some() || left.member.sparse.is_none();
    left.member.size == right.member.size && left.digest == right.digest && known
}

/// How deep to look at an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// All that stands in the archive.
    Archived,
    /// What a file system would have of it.
    Applied,
}

/// Fields that only an archive has.
const ARCHIVED: [&str; 8] =
    ["uname", "gname", "atime", "ctime", "name", "dialect", "unused fields", "sparse"];

/// What differs between two entries of one path.
pub(super) fn compare(
    left: &ListedMember,
    right: &ListedMember,
    depth: Depth,
    context: &Context,
) -> Vec<Change> {
    let mut changes = Vec::new();
    if !same_data(left, right) {
        changes.push(Change::new(Cause::Content, "data", show::data(left), show::data(right)));
    }
    let (l, r) = (&left.member, &right.member);
    let applied = |name: &str| depth == Depth::Archived || !ARCHIVED.contains(&name);
    for field in FIELDS.iter().filter(|field| applied(field.name)) {
        let (a, b) = ((field.value)(l), (field.value)(r));
        if a != b {
            let cause =
                rule(l, r, context, |l, r| (field.value)(l) == (field.value)(r)).unwrap_or(field.cause);
            // What that level makes one, containers cannot see.
            let unseen = cause.rule().is_some_and(|rule| rule.level == Some(Level::Canonical));
            if depth == Depth::Archived || !unseen {
                changes.push(Change::new(cause, field.name, a, b));
            }
        }
    }
    if l.records != r.records {
        records(l, r, depth, context, &mut changes);
    }
    changes
}

/// The rule of the least level that explains the difference of a field.
fn rule(l: &Member, r: &Member, context: &Context, same: impl Fn(&Member, &Member) -> bool) -> Option<Cause> {
    let explains = |rule: &&Rule| {
        rule.member().is_some_and(|canon| {
            let (mut l, mut r) = (l.clone(), r.clone());
            (canon.apply)(&mut l, context);
            (canon.apply)(&mut r, context);
            same(&l, &r)
        })
    };
    RULES.iter().filter(explains).min_by_key(|rule| rule.rank()).map(|rule| Cause::Rule(rule.id))
}

/// Extended attributes and other PAX records.
fn records(l: &Member, r: &Member, depth: Depth, context: &Context, changes: &mut Vec<Change>) {
    let mut keys: Vec<&[u8]> = l.records.iter().chain(&r.records).map(|(key, _)| key.as_slice()).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys.into_iter().filter(|key| !key.starts_with(b"GNU.sparse.")) {
        let (a, b) = (record(l, key), record(r, key));
        if a == b || is_header_field(key) && !is_choice(l, r, key) {
            continue;
        }
        let (field, own) = match key.strip_prefix(XATTR_PREFIX) {
            Some(name) => (format!("xattr {}", show::lossless(name)), Cause::Xattr),
            None if is_header_field(key) => (
                format!("pax {}, which repeats the header", show::lossless(key)),
                Cause::Rule("layer.dialect"),
            ),
            None => (format!("pax {}", show::lossless(key)), Cause::Encoding),
        };
        if depth == Depth::Applied && own != Cause::Xattr {
            continue;
        }
        let by_rule = || rule(l, r, context, |l, r| record(l, key) == record(r, key)).unwrap_or(own);
        let cause = if is_header_field(key) { own } else { by_rule() };
        let text = |value: Option<Vec<u8>>| value.map(|value| show::lossless(&value));
        changes.push(Change::new(cause, field, text(a), text(b)));
    }
    let order =
        |member: &Member| -> Vec<Vec<u8>> { member.xattrs().map(|(name, _)| name.to_vec()).collect() };
    let (a, b) = (order(l), order(r));
    let sorted = |mut names: Vec<Vec<u8>>| {
        names.sort();
        names
    };
    if depth == Depth::Archived && a != b && sorted(a.clone()) == sorted(b.clone()) {
        let cause = rule(l, r, context, |l, r| order(l) == order(r)).unwrap_or(Cause::Order);
        let text = |names: Vec<Vec<u8>>| show::lossless(&names.join(&b", "[..]));
        changes.push(Change::new(cause, "xattr order", text(a), text(b)));
    }
}

/// The value of a PAX record. One that stands for a field of the header counts only where the writer would put it back
/// although the header can hold the field; else it follows from the field.
fn record(member: &Member, key: &[u8]) -> Option<Vec<u8>> {
    let (_, value) = member.records.iter().find(|(k, _)| k == key)?;
    let put_back = || {
        let mut without = member.clone();
        without.records.retain(|(k, _)| k != key);
        tar::encode(&without) != tar::encode(member)
    };
    (!is_header_field(key) || put_back()).then(|| value.clone())
}

/// Whether a record that stands for a field of the header is on one side only although the field is the same.
fn is_choice(l: &Member, r: &Member, key: &[u8]) -> bool {
    let (other, value) = match (record(l, key), record(r, key)) {
        (Some(value), None) => (r, value),
        (None, Some(value)) => (l, value),
        _ => return false,
    };
    let mut other = Member { dialect: Dialect::Pax, ..other.clone() };
    other.records.retain(|(k, _)| k != key);
    other.records.push((key.to_vec(), value));
    record(&other, key).is_some()
}

/// The path by which an entry is known.
pub(super) fn path(listed: &ListedMember) -> Vec<u8> {
    stack::path_of(&listed.member.name)
}
