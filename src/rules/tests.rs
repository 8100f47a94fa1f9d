//! The rules: their table, their order, their laws.

use std::collections::BTreeSet;

use super::*;
use crate::{
    json,
    limits::Limits,
    tar::{Dialect, Member, Timestamp},
};

const CONTEXT: Context = Context { epoch: 1000 };

/// Applies one rule and says whether it changed anything.
fn change(canon: &MemberCanon, member: &mut Member) -> bool {
    let mut changed = false;
    apply_all(&[canon], member, &CONTEXT, |_| changed = true);
    changed
}

fn rule(id: &str) -> &'static Rule {
    Rule::by_id(id).unwrap()
}

#[test]
fn ids_are_unique_and_begin_with_their_scope() {
    let ids: BTreeSet<_> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(ids.len(), RULES.len());
    for rule in RULES {
        let scope = serde_json::to_value(rule.scope).unwrap();
        assert_eq!(rule.id.split('.').next(), scope.as_str(), "{}", rule.id);
    }
}

#[test]
fn the_document_is_not_stale() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/rules.md");
    if std::env::var_os("REPRO_BLESS").is_some() {
        std::fs::write(path, markdown()).unwrap();
    }
    assert!(std::fs::read_to_string(path).unwrap() == markdown(), "docs/rules.md is stale: REPRO_BLESS=1");
}

#[test]
fn levels_hold_each_other() {
    let ids = |level| Active::new(level).rules().map(|rule| rule.id).collect::<BTreeSet<_>>();
    for pair in Level::ALL.windows(2) {
        assert!(ids(pair[0]).is_subset(&ids(pair[1])) && ids(pair[0]) != ids(pair[1]));
    }
    let mut active = Active::new(Level::Clamp);
    active.remove("layer.mtime").unwrap();
    active.add("layer.order").unwrap();
    assert!(!active.has("layer.mtime") && active.has("layer.order"));
    assert!(active.add("layer.nothing").is_err() && active.remove("mtime").is_err());
    for rule in RULES {
        let fixed = matches!(rule.canon, Canon::Fixed(_));
        assert_eq!(
            (active.add(rule.id).is_err(), active.remove(rule.id).is_err()),
            (fixed, fixed),
            "{}",
            rule.id
        );
    }
}

#[test]
fn times_are_never_raised_and_keep_their_nanoseconds() {
    let clamp = rule("layer.mtime").member().unwrap();
    for (before, after) in [
        ((999, 999_999_999), (999, 999_999_999)),
        ((1000, 0), (1000, 0)),
        ((1000, 1), (1000, 0)),
        ((2000, 5), (1000, 0)),
        ((-7, 5), (-7, 5)),
    ] {
        let time = |(secs, nanos)| Timestamp { secs, nanos };
        let mut member = Member { mtime: time(before), ..Member::default() };
        assert_eq!(change(clamp, &mut member), before != after);
        assert_eq!(member, Member { mtime: time(after), ..Member::default() });
    }
}

#[test]
fn a_member_rule_explains_what_it_makes_equal_and_nothing_else() {
    let late = |secs| Member { mtime: Timestamp::from_secs(secs), ..Member::default() };
    let mtime = rule("layer.mtime").member().unwrap();
    assert!(mtime.explains(&late(1001), &late(2000), &CONTEXT));
    assert!(mtime.explains(&late(1000), &late(2000), &CONTEXT));
    assert!(!mtime.explains(&late(999), &late(2000), &CONTEXT));
    assert!(!mtime.explains(&late(1), &late(1), &CONTEXT), "no difference has no cause");
    let mode = rule("layer.mode-type").member().unwrap();
    let of = |mode| Member { mode, ..Member::default() };
    assert!(mode.explains(&of(0o100_644), &of(0o644), &CONTEXT));
    assert!(!mode.explains(&of(0o100_644), &of(0o755), &CONTEXT));
}

#[test]
fn the_dialect_rule_keeps_what_containers_see() {
    let record = |key: &str, value: &str| (key.as_bytes().to_vec(), value.as_bytes().to_vec());
    let seen = record("SCHILY.xattr.user.a", "1");
    let mut member = Member {
        records: vec![seen.clone(), record("comment", "x"), record("mtime", "5.5")],
        dialect: Dialect::Gnu,
        ..Member::default()
    };
    assert!(change(rule("layer.dialect").member().unwrap(), &mut member));
    assert_eq!(member, Member { records: vec![seen], dialect: Dialect::Pax, ..Member::default() });
}

#[test]
fn fields_are_found_by_pattern() {
    let raw = br#"{"created":"2020-01-01T00:00:00Z","history":[{"created":"1970-01-01T00:00:01.5Z"},
        {"created":"2020-06-01T02:00:00+02:00"},{"created":"yesterday"},{"created":7}]}"#;
    let root = json::parse(raw, &Limits::default()).root.unwrap();
    let history = rule("config.history").field().unwrap();
    let found = history.find(DocumentKind::Config, &root);
    let changes: Vec<_> = found.iter().map(|(_, field)| (history.canon)(&field.node, &CONTEXT)).collect();
    let epoch = Change::Text("1970-01-01T00:16:40Z".into());
    assert_eq!(changes, [Change::Keep, epoch, Change::Keep, Change::Keep]);
    assert!(history.find(DocumentKind::Manifest, &root).is_empty());
    assert!(history.covers(DocumentKind::Config, "/history/12/created"));
    for other in ["/history/1/created_by", "/history/created", "/created", "/history/1/created/x"] {
        assert!(!history.covers(DocumentKind::Config, other), "{other}");
    }
    let source = rule("archive.source").field().unwrap();
    assert!(
        source.covers(DocumentKind::Root, "/manifests/0/annotations/containerd.io~1distribution.source.x")
    );
    assert!(
        !source.covers(DocumentKind::Index, "/manifests/0/annotations/containerd.io~1distribution.source.x")
    );
}

#[test]
fn a_field_rule_explains_what_it_makes_equal_and_nothing_else() {
    let node = |raw: &str| json::parse(raw.as_bytes(), &Limits::default()).root.unwrap();
    let (late, later, early) = (
        node(r#""2020-01-01T00:00:00Z""#),
        node(r#""2021-01-01T00:00:00Z""#),
        node(r#""1970-01-01T00:00:00Z""#),
    );
    let created = rule("config.created").field().unwrap();
    assert!(created.explains(Some(&late), Some(&later), &CONTEXT));
    assert!(!created.explains(Some(&late), Some(&early), &CONTEXT));
    assert!(!created.explains(Some(&late), None, &CONTEXT));
    let exported = rule("archive.exported").field().unwrap();
    assert!(exported.explains(Some(&late), None, &CONTEXT));
    assert!(!created.explains(Some(&node("1")), Some(&node("2")), &CONTEXT));
}
