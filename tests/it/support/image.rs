//! The parts of an image: layers of members, and images of layers.

use std::io::Write as _;

use serde_json::{Value, json};
use sha2::Digest as _;

use super::member::{Member, tar};

/// How a layer is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl Packing {
    pub const ALL: [Packing; 3] = [Packing::Plain, Packing::Gzip, Packing::Zstd];

    pub fn pack(self, data: &[u8]) -> Vec<u8> {
        match self {
            Packing::Plain => data.to_vec(),
            Packing::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
                encoder.write_all(data).unwrap();
                encoder.finish().unwrap()
            }
            Packing::Zstd => zstd::encode_all(data, 3).unwrap(),
        }
    }

    /// The media type of an OCI layer that is packed so.
    pub fn media_type(self) -> &'static str {
        match self {
            Packing::Plain => "application/vnd.oci.image.layer.v1.tar",
            Packing::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
            Packing::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
        }
    }
}

/// The digest of `data` by `sha256`, `sha384` or `sha512`, as descriptors write it.
pub fn digest(algorithm: &str, data: &[u8]) -> String {
    let hash = match algorithm {
        "sha256" => sha2::Sha256::digest(data).to_vec(),
        "sha384" => sha2::Sha384::digest(data).to_vec(),
        "sha512" => sha2::Sha512::digest(data).to_vec(),
        other => panic!("no such algorithm: {other}"),
    };
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{algorithm}:{hex}")
}

/// A layer: its tar, and the blob that holds the tar.
#[derive(Clone, Debug)]
pub struct Layer {
    pub(super) tar: Vec<u8>,
    pub(super) blob: Vec<u8>,
    pub(super) media_type: String,
}

impl Layer {
    /// A gzip layer of these members.
    pub fn new(members: &[Member]) -> Layer {
        Layer::of_tar(tar(members), Packing::Gzip)
    }

    /// A layer of any bytes, which need not be a tar at all.
    pub fn of_tar(tar: Vec<u8>, packing: Packing) -> Layer {
        Layer { blob: packing.pack(&tar), media_type: packing.media_type().into(), tar }
    }

    /// The same tar, packed otherwise.
    pub fn pack(self, packing: Packing) -> Layer {
        Layer::of_tar(self.tar, packing)
    }

    /// Bends the packed bytes; the blob's digest follows, the diff_id stays that of the tar.
    pub fn blob(mut self, edit: impl FnOnce(&mut Vec<u8>)) -> Layer {
        edit(&mut self.blob);
        self
    }

    pub fn media_type(self, media_type: &str) -> Layer {
        Layer { media_type: media_type.into(), ..self }
    }
}

/// One image of an archive: a config and layers.
#[derive(Clone, Debug)]
pub struct Image {
    pub(super) layers: Vec<Layer>,
    pub(super) name: Option<String>,
    pub(super) algorithm: &'static str,
    platform: String,
    /// The number of the image that this one is an attestation of.
    pub(super) attests: Option<usize>,
}

impl Image {
    /// An unnamed image for linux/amd64, digests by sha256.
    pub fn new(layers: Vec<Layer>) -> Image {
        Image { layers, name: None, algorithm: "sha256", platform: "linux/amd64".into(), attests: None }
    }

    /// BuildKit's attestation manifest for the image of that number in the same archive, which must come before it.
    pub fn attestation(of: usize) -> Image {
        let statement = r#"{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"https://slsa.dev/provenance/v0.2","subject":[],"predicate":{}}"#;
        let image = Image::new(Vec::new()).platform("unknown/unknown");
        Image { attests: Some(of), ..image.statement(statement) }
    }

    /// The same with this in-toto statement for its only layer.
    pub fn statement(self, text: impl Into<Vec<u8>>) -> Image {
        let layer = Layer::of_tar(text.into(), Packing::Plain).media_type("application/vnd.in-toto+json");
        Image { layers: vec![layer], ..self }
    }

    /// `OS/ARCHITECTURE` or `OS/ARCHITECTURE/VARIANT`.
    pub fn platform(self, platform: &str) -> Image {
        Image { platform: platform.into(), ..self }
    }

    /// `HOST/PATH:TAG`.
    pub fn name(self, name: &str) -> Image {
        Image { name: Some(name.into()), ..self }
    }

    /// The algorithm of every descriptor's digest; diff_ids stay sha256.
    pub fn algorithm(self, algorithm: &'static str) -> Image {
        Image { algorithm, ..self }
    }

    pub(super) fn diff_ids(&self) -> Vec<String> {
        self.layers.iter().map(|layer| digest("sha256", &layer.tar)).collect()
    }

    pub(super) fn platform_json(&self) -> Value {
        let keys = ["os", "architecture", "variant"];
        keys.into_iter()
            .zip(self.platform.split('/'))
            .map(|(key, part)| (key.to_string(), json!(part)))
            .collect()
    }

    /// The image configuration (OCI image spec, config.md).
    pub(super) fn config_json(&self) -> Value {
        let step = json!({"created": "1970-01-01T00:00:00Z", "created_by": "COPY . / # support"});
        let mut config = self.platform_json();
        config["created"] = json!("1970-01-01T00:00:00Z");
        config["config"] =
            json!({"Env": ["PATH=/bin", "LAB=1"], "Entrypoint": ["/bin/sh"], "Labels": {"lab": "1"}});
        config["rootfs"] = json!({"type": "layers", "diff_ids": self.diff_ids()});
        config["history"] = vec![step; self.layers.len()].into();
        config
    }

    /// The annotations of the descriptor that names this image's manifest.
    pub(super) fn annotations(&self) -> Option<Value> {
        let name = self.name.as_deref()?;
        let tag = name.rsplit_once(':').map_or(name, |(_, tag)| tag);
        Some(json!({"io.containerd.image.name": name, "org.opencontainers.image.ref.name": tag}))
    }
}
