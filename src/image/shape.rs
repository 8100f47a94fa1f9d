//! What the fields of every document must be: one table for each, as the structs have it that Go's readers decode into
//! (image-spec specs-go/v1; moby's container.Config and manifest.json).

use super::{
    FaultKind, reference,
    resolver::{Resolver, Value},
};
use crate::{escape::escape, rfc3339};

/// What a value must be. `null` is a field that is not there.
pub(super) enum Shape {
    /// Read where it is used, or by nobody.
    Any,
    /// A string.
    Text,
    /// A string that Go reads as a time.
    Time,
    /// A string that is a reference with a tag or a digest.
    Name,
    /// `true` or `false`.
    Bool,
    /// A whole number, also a negative one.
    Whole,
    /// A list of strings, in place of which Docker takes one string too.
    Command,
    /// An object whose values are objects that hold nothing: a set.
    Set,
    /// An object whose values are strings.
    Texts,
    /// A list of values of one shape.
    List(&'static Shape),
    /// An object whose values are of one shape.
    Map(&'static Shape),
    /// An object with these fields, among others.
    Object(&'static [(&'static str, Shape)]),
}

use Shape::{Any, Bool, Command, List, Map, Name, Object, Set, Text, Texts, Time, Whole};

/// `oci-layout`.
pub(super) const LAYOUT: Shape = Object(&[("imageLayoutVersion", Text)]);

/// image-index.md.
pub(super) const INDEX: Shape = Object(&[
    ("schemaVersion", Any),
    ("mediaType", Text),
    ("artifactType", Text),
    ("manifests", List(&DESCRIPTOR)),
    ("subject", DESCRIPTOR),
    ("annotations", Texts),
]);

/// manifest.md.
pub(super) const MANIFEST: Shape = Object(&[
    ("schemaVersion", Any),
    ("mediaType", Text),
    ("artifactType", Text),
    ("config", DESCRIPTOR),
    ("layers", List(&DESCRIPTOR)),
    ("subject", DESCRIPTOR),
    ("annotations", Texts),
]);

/// config.md.
pub(super) const CONFIG: Shape = Object(&[
    ("created", Time),
    ("author", Text),
    ("architecture", Text),
    ("os", Text),
    ("os.version", Text),
    ("os.features", List(&Text)),
    ("variant", Text),
    ("config", PROCESS),
    ("rootfs", Object(&[("type", Text), ("diff_ids", List(&Text))])),
    ("history", List(&HISTORY)),
]);

/// Docker's `manifest.json`.
pub(super) const DOCKER: Shape = List(&Object(&[
    ("Config", Text),
    ("RepoTags", List(&Name)),
    ("Layers", List(&Text)),
    ("Parent", Text),
    ("LayerSources", Map(&DESCRIPTOR)),
]));

/// descriptor.md. What is wrong with a size has a check of its own.
const DESCRIPTOR: Shape = Object(&[
    ("mediaType", Text),
    ("digest", Text),
    ("size", Any),
    ("urls", List(&Text)),
    ("annotations", Texts),
    ("data", Text),
    ("artifactType", Text),
    ("platform", PLATFORM),
]);

const PLATFORM: Shape = Object(&[
    ("os", Text),
    ("architecture", Text),
    ("variant", Text),
    ("os.version", Text),
    ("os.features", List(&Text)),
    ("features", List(&Text)),
]);

const HISTORY: Shape = Object(&[
    ("created", Time),
    ("created_by", Text),
    ("author", Text),
    ("comment", Text),
    ("empty_layer", Bool),
]);

/// What runs: the spec's fields, then Docker's.
const PROCESS: Shape = Object(&[
    ("User", Text),
    ("ExposedPorts", Set),
    ("Env", List(&Text)),
    ("Entrypoint", Command),
    ("Cmd", Command),
    ("Volumes", Set),
    ("WorkingDir", Text),
    ("Labels", Texts),
    ("StopSignal", Text),
    ("ArgsEscaped", Bool),
    ("Memory", Any),
    ("MemorySwap", Any),
    ("CpuShares", Any),
    ("Healthcheck", HEALTHCHECK),
    ("Hostname", Text),
    ("Domainname", Text),
    ("AttachStdin", Bool),
    ("AttachStdout", Bool),
    ("AttachStderr", Bool),
    ("Tty", Bool),
    ("OpenStdin", Bool),
    ("StdinOnce", Bool),
    ("Image", Text),
    ("NetworkDisabled", Bool),
    ("MacAddress", Text),
    ("OnBuild", List(&Text)),
    ("StopTimeout", Whole),
    ("Shell", Command),
]);

const HEALTHCHECK: Shape = Object(&[
    ("Test", List(&Text)),
    ("Interval", Whole),
    ("Timeout", Whole),
    ("StartPeriod", Whole),
    ("StartInterval", Whole),
    ("Retries", Whole),
]);

impl Resolver<'_> {
    /// Notes every field that is not what `shape` says, and keys that only Go takes for known ones.
    pub(super) fn check(&mut self, value: &Value<'_>, shape: &Shape) {
        match shape {
            Any => {}
            Text => self.expect(value, value.node.str()),
            Bool => self.expect(value, value.node.bool()),
            Whole => self.expect(value, value.node.i64()),
            Texts => self.expect(value, value.node.string_map()),
            Time | Name => self.check_text(value, shape),
            Command if value.node.str().is_ok() => self.fault(FaultKind::CommandString, &value.at, ""),
            Command => self.check(value, &List(&Text)),
            List(element) => {
                self.expect(value, value.node.array());
                value.elements().iter().for_each(|value| self.check(value, element));
            }
            Set => self.check(value, &Map(&Object(&[]))),
            Map(shape) => {
                self.expect(value, value.node.object());
                value.fields().iter().for_each(|value| self.check(value, shape));
            }
            Object(fields) => {
                self.expect(value, value.node.object());
                let known: Vec<&str> = fields.iter().map(|(key, _)| *key).collect();
                self.misspelt(value, &known);
                for (key, shape) in *fields {
                    if let Some(field) = value.get(key) {
                        self.check(&field, shape);
                    }
                }
            }
        }
    }

    fn check_text(&mut self, value: &Value<'_>, shape: &Shape) {
        let Some(text) = self.typed(&value.at, value.node.str()) else { return };
        let (kind, is_right) = match shape {
            Time => (FaultKind::Time, rfc3339::parse(text).is_some()),
            _ => (FaultKind::Reference, reference::is_complete(text)),
        };
        if !is_right {
            self.fault(kind, &value.at, escape(text.as_bytes()));
        }
    }
}
