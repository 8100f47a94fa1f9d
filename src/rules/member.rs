//! Rules about fields of a layer's members.

use super::Context;
use crate::tar::{self, Dialect, Kind, Member, Timestamp, XATTR_PREFIX};

/// Brings some fields of a member to their canonical form.
#[derive(Clone, Copy, Debug)]
pub struct MemberCanon {
    /// Changes the fields.
    pub apply: fn(&mut Member, &Context),
    /// Whether two members agree in the fields that [`MemberCanon::apply`] changes.
    pub same: fn(&Member, &Member) -> bool,
}

impl MemberCanon {
    /// Whether the fields differ, but not in their canonical form: the rule is the cause of the difference.
    pub fn explains(&self, a: &Member, b: &Member, context: &Context) -> bool {
        if (self.same)(a, b) {
            return false;
        }
        let (mut a, mut b) = (a.clone(), b.clone());
        (self.apply)(&mut a, context);
        (self.apply)(&mut b, context);
        (self.same)(&a, &b)
    }
}

/// Applies rules one after the other; `changed` hears the position of each that changed something.
pub fn apply_all(
    rules: &[&MemberCanon],
    member: &mut Member,
    context: &Context,
    mut changed: impl FnMut(usize),
) {
    let mut before = member.clone();
    for (position, rule) in rules.iter().enumerate() {
        (rule.apply)(member, context);
        if !(rule.same)(&before, member) {
            changed(position);
            before.clone_from(member);
        }
    }
}

/// No later than SOURCE_DATE_EPOCH; a time before it stays to the nanosecond.
fn clamp(time: &mut Timestamp, context: &Context) {
    *time = (*time).min(Timestamp::from_secs(context.epoch));
}

pub(super) const MTIME: MemberCanon = MemberCanon {
    apply: |member, context| clamp(&mut member.mtime, context),
    same: |a, b| a.mtime == b.mtime,
};

pub(super) const ATIME: MemberCanon = MemberCanon {
    apply: |member, context| member.atime.iter_mut().for_each(|time| clamp(time, context)),
    same: |a, b| a.atime == b.atime,
};

pub(super) const CTIME: MemberCanon = MemberCanon {
    apply: |member, context| member.ctime.iter_mut().for_each(|time| clamp(time, context)),
    same: |a, b| a.ctime == b.ctime,
};

pub(super) const ACCESS_TIMES: MemberCanon = MemberCanon {
    apply: |member, _| {
        (member.atime, member.ctime) = (None, None);
        member.records.retain(|(key, _)| key != b"atime" && key != b"ctime");
    },
    same: |a, b| (a.atime, a.ctime) == (b.atime, b.ctime),
};

pub(super) const OWNER_NAMES: MemberCanon = MemberCanon {
    apply: |member, _| {
        member.uname.clear();
        member.gname.clear();
        member.records.retain(|(key, _)| key != b"uname" && key != b"gname");
    },
    same: |a, b| (&a.uname, &a.gname) == (&b.uname, &b.gname),
};

/// Permission, set-id and sticky bits; all above them repeat the type flag (`S_IFMT`) or mean nothing.
const MODE_BITS: i64 = 0o7777;

pub(super) const MODE_TYPE: MemberCanon =
    MemberCanon { apply: |member, _| member.mode &= MODE_BITS, same: |a, b| a.mode == b.mode };

/// Records that stand for no field and that a container sees as extended attributes: star's and Go's form, and
/// libarchive's.
const VISIBLE: [&[u8]; 3] = [XATTR_PREFIX, b"LIBARCHIVE.xattr.", b"SCHILY.acl."];

fn is_visible(key: &[u8]) -> bool {
    VISIBLE.iter().any(|prefix| key.starts_with(prefix))
}

/// PAX, with no record but those that are needed. The writer takes plain ustar for a PAX member that needs none, and
/// writes records for whatever a header block cannot hold.
pub(super) const DIALECT: MemberCanon = MemberCanon {
    apply: |member, _| {
        member.dialect = Dialect::Pax;
        member.records.retain(|(key, _)| is_visible(key));
    },
    // Records that only repeat a field are written, or not, as the field needs them: what counts is the header that
    // comes of it.
    same: |a, b| {
        let plain = |member: &Member| matches!(member.dialect, Dialect::Ustar | Dialect::Pax);
        let alike = a.dialect == b.dialect || plain(a) && plain(b);
        alike && a.records == b.records || {
            let other = Member { dialect: b.dialect, records: b.records.clone(), ..a.clone() };
            matches!((tar::encode(a), tar::encode(&other)), (Ok(a), Ok(other)) if a == other)
        }
    },
};

pub(super) const XATTR_ORDER: MemberCanon = MemberCanon {
    apply: |member, _| member.records.sort(),
    same: |a, b| {
        let order =
            |member: &Member| -> Vec<_> { member.records.iter().map(|(key, _)| key.clone()).collect() };
        let (mut sorted_a, mut sorted_b) = (order(a), order(b));
        sorted_a.sort();
        sorted_b.sort();
        sorted_a != sorted_b || order(a) == order(b)
    },
};

fn is_link(member: &Member) -> bool {
    matches!(member.kind, Kind::Hardlink | Kind::Symlink)
}

fn is_device(member: &Member) -> bool {
    matches!(member.kind, Kind::CharDevice | Kind::BlockDevice)
}

pub(super) const UNUSED_FIELDS: MemberCanon = MemberCanon {
    apply: |member, _| {
        if !is_link(member) {
            member.link.clear();
        }
        if !is_device(member) {
            (member.devmajor, member.devminor) = (0, 0);
        }
    },
    same: |a, b| {
        let link = |member: &Member| if is_link(member) { Vec::new() } else { member.link.clone() };
        let device = |member: &Member| {
            if is_device(member) { (0, 0) } else { (member.devmajor, member.devminor) }
        };
        link(a) == link(b) && device(a) == device(b)
    },
};
