//! Rules about fields of documents: which fields, by JSON pointer, and what becomes of their values.

use jiff::SignedDuration;

use super::Context;
use crate::{
    image::{self, DocId, ImageGraph},
    json::{Field, Node, Value},
    rfc3339,
};

/// What a document is, as far as rules tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DocumentKind {
    /// `index.json`, which no digest covers.
    Root,
    /// An image index below it.
    Index,
    /// An image manifest.
    Manifest,
    /// An image configuration.
    Config,
}

impl DocumentKind {
    /// What a document of a graph is; `None` for what no rule is about.
    pub fn of(graph: &ImageGraph<'_>, id: DocId) -> Option<DocumentKind> {
        match graph.document(id).node {
            image::Node::Index(_) if Some(id) == graph.root => Some(DocumentKind::Root),
            image::Node::Index(_) => Some(DocumentKind::Index),
            image::Node::Manifest(_) => Some(DocumentKind::Manifest),
            image::Node::Config(_) => Some(DocumentKind::Config),
            image::Node::Other => None,
        }
    }
}

/// What becomes of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It stays, byte for byte.
    Keep,
    /// It becomes this string.
    Text(String),
    /// It goes, with its key.
    Remove,
}

/// Brings some fields of documents to their canonical form.
#[derive(Clone, Copy, Debug)]
pub struct FieldCanon {
    /// The documents that have the fields.
    pub documents: &'static [DocumentKind],
    /// JSON pointers of the fields; a token `*` stands for any one token, a token that ends in `*` for any that begins
    /// so. In tokens `~1` is `/`, as RFC 6901 has it.
    pub pointers: &'static [&'static str],
    /// What becomes of a value that is there.
    pub canon: fn(&Node, &Context) -> Change,
}

impl FieldCanon {
    /// Whether the field at `pointer` of such a document is one that this is about.
    pub fn covers(&self, kind: DocumentKind, pointer: &str) -> bool {
        self.documents.contains(&kind) && self.pointers.iter().any(|pattern| matches(pattern, pointer))
    }

    /// Whether the rule is the cause of a difference between two values of a field it [covers](FieldCanon::covers):
    /// in their canonical form they are equal. `None` is a field that is not there.
    pub fn explains(&self, a: Option<&Node>, b: Option<&Node>, context: &Context) -> bool {
        let form = |node: &Node| match (self.canon)(node, context) {
            Change::Keep => node.str().ok().map(str::to_owned),
            Change::Text(text) => Some(text),
            Change::Remove => None,
        };
        let is_text = |node: Option<&Node>| node.is_none_or(|node| node.str().is_ok());
        is_text(a) && is_text(b) && a.and_then(form) == b.and_then(form)
    }

    /// The fields of a document that this is about, each with the object that holds it.
    pub fn find<'n>(&self, kind: DocumentKind, root: &'n Node) -> Vec<(&'n Node, &'n Field)> {
        let mut found = Vec::new();
        if self.documents.contains(&kind) {
            for pattern in self.pointers {
                let tokens: Vec<&str> = pattern.split('/').skip(1).collect();
                collect(root, &tokens, &mut found);
            }
        }
        found
    }
}

fn collect<'n>(node: &'n Node, tokens: &[&str], found: &mut Vec<(&'n Node, &'n Field)>) {
    let Some((wanted, rest)) = tokens.split_first() else { return };
    match &node.value {
        Value::Object(fields) => {
            for field in fields.iter().filter(|field| token_matches(wanted, &escaped(&field.key))) {
                if rest.is_empty() {
                    found.push((node, field));
                } else {
                    collect(&field.node, rest, found);
                }
            }
        }
        Value::Array(elements) if *wanted == "*" => {
            elements.iter().for_each(|element| collect(element, rest, found));
        }
        _ => {}
    }
}

/// A key as a token of a JSON pointer (RFC 6901).
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn matches(pattern: &str, pointer: &str) -> bool {
    let (mut pattern, mut pointer) = (pattern.split('/'), pointer.split('/'));
    loop {
        match (pattern.next(), pointer.next()) {
            (None, None) => return true,
            (Some(wanted), Some(token)) if token_matches(wanted, token) => {}
            _ => return false,
        }
    }
}

fn token_matches(wanted: &str, token: &str) -> bool {
    wanted == token || wanted.strip_suffix('*').is_some_and(|prefix| token.starts_with(prefix))
}

/// A time later than SOURCE_DATE_EPOCH becomes it; what is no time stays.
fn clamp(node: &Node, context: &Context) -> Change {
    let time = node.str().ok().and_then(rfc3339::parse);
    let late = time.is_some_and(|time| time > SignedDuration::from_secs(context.epoch));
    late.then(|| rfc3339::print(context.epoch)).flatten().map_or(Change::Keep, Change::Text)
}

const ALL_BUT_CONFIG: &[DocumentKind] = &[DocumentKind::Root, DocumentKind::Index, DocumentKind::Manifest];

pub(super) const CREATED: FieldCanon =
    FieldCanon { documents: &[DocumentKind::Config], pointers: &["/created"], canon: clamp };

pub(super) const HISTORY: FieldCanon =
    FieldCanon { documents: &[DocumentKind::Config], pointers: &["/history/*/created"], canon: clamp };

pub(super) const ANNOTATED_TIME: FieldCanon = FieldCanon {
    documents: ALL_BUT_CONFIG,
    pointers: &[
        "/annotations/org.opencontainers.image.created",
        "/manifests/*/annotations/org.opencontainers.image.created",
        "/config/annotations/org.opencontainers.image.created",
        "/layers/*/annotations/org.opencontainers.image.created",
    ],
    canon: clamp,
};

pub(super) const SOURCE: FieldCanon = FieldCanon {
    documents: &[DocumentKind::Root],
    pointers: &[
        "/annotations/containerd.io~1distribution.source.*",
        "/manifests/*/annotations/containerd.io~1distribution.source.*",
    ],
    canon: |_, _| Change::Remove,
};

pub(super) const NAMES: FieldCanon = FieldCanon {
    documents: &[DocumentKind::Root],
    pointers: &[
        "/manifests/*/annotations/io.containerd.image.name",
        "/manifests/*/annotations/org.opencontainers.image.ref.name",
    ],
    canon: |_, _| Change::Remove,
};

pub(super) const EXPORTED: FieldCanon = FieldCanon {
    documents: &[DocumentKind::Root],
    pointers: &["/manifests/*/annotations/org.opencontainers.image.created"],
    canon: |_, _| Change::Remove,
};

/// What tools note on a layer's descriptor about the bytes of its blob. Wrong once these change.
const ENCODING_NOTES: &[&str] = &[
    "/layers/*/annotations/buildkit~1rewritten-timestamp",
    "/layers/*/annotations/containerd.io~1snapshot~1stargz~1*",
    "/layers/*/annotations/io.containers.estargz.*",
    "/layers/*/annotations/io.containers.zstd-chunked.*",
    "/layers/*/annotations/io.github.containers.zstd-chunked.*",
];

pub(super) const ENCODING_NOTE: FieldCanon = FieldCanon {
    documents: &[DocumentKind::Manifest],
    pointers: ENCODING_NOTES,
    canon: |_, _| Change::Remove,
};
