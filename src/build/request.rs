//! A build request: what was typed, and what it comes to.
//!
//! Knows the values and what each means. How one becomes the other is `resolve`'s.

use super::{pins::Pin, runtime::Runtime};

/// What to build and how, as it was typed: the fields are the flags of the reference's command. An absent value is `None`
/// or empty; a flag that is not given means what it means on the command line.
///
/// ```
/// use repro_build::build::{BuildRequest, Builder, System};
///
/// let builder = Builder {
///     runtime: Some("docker".into()),
///     source_date_epoch: Some("0".into()),
///     tags: vec!["example.com/app:1".into()],
///     ..Builder::new(".")
/// };
/// # // No runtime is needed to see what a build comes to.
/// let request = BuildRequest::resolve(&builder, &System)?;
/// assert_eq!(request.source_date_epoch, 0);
/// # Ok::<(), repro_build::error::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Builder {
    /// `--runtime`
    pub runtime: Option<String>,
    /// `--datetime`
    pub datetime: Option<String>,
    /// `--source-date-epoch`
    pub source_date_epoch: Option<String>,
    /// `--buildkit-image`: a pin's name or an image reference
    pub buildkit_image: Option<String>,
    /// `--builder`
    pub builder: Option<String>,
    /// `--no-cache`
    pub no_cache: bool,
    /// `--rootless`
    pub rootless: bool,
    /// `--file`
    pub file: Option<String>,
    /// `--output`
    pub output: Option<String>,
    /// `--tag`, every one
    pub tags: Vec<String>,
    /// `--build-arg`, every one
    pub build_args: Vec<String>,
    /// `--annotation`, every one
    pub annotations: Vec<String>,
    /// `--platform`, every one; each may hold several with commas between them
    pub platforms: Vec<String>,
    /// `--buildkit-args`
    pub buildkit_args: Option<String>,
    /// `--buildx-args`
    pub buildx_args: Option<String>,
    /// `--exporter`
    pub exporter: Option<Exporter>,
    /// `--oci-mediatypes`
    pub oci_mediatypes: Option<bool>,
    /// Files besides the output that this program writes, such as the build record; they are kept out of the context
    pub leave_out: Vec<String>,
    /// CONTEXT
    pub context: String,
}

impl Builder {
    /// A build of `context`: a directory, or a git or http address.
    pub fn new(context: impl Into<String>) -> Builder {
        Builder { context: context.into(), ..Builder::default() }
    }
}

/// A build with nothing left open.
#[derive(Clone, Debug, PartialEq)]
pub struct BuildRequest {
    /// The container runtime.
    pub runtime: &'static Runtime,
    /// Which BuildKit.
    pub builder: BuildKit,
    /// Whether BuildKit runs without root.
    pub rootless: bool,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub source_date_epoch: u64,
    /// Whether earlier builds' results may be used.
    pub cache: bool,
    /// What is built.
    pub context: Context,
    /// The Dockerfile if it was named: an absolute path, or a relative one inside a remote context.
    pub file: Option<String>,
    /// Where the image goes; an absolute path.
    pub output: String,
    /// Other files this program writes, as absolute paths; like the output they are not part of the context.
    pub leave_out: Vec<String>,
    /// Names of the image.
    pub tags: Vec<String>,
    /// `KEY=VALUE`
    pub build_args: Vec<String>,
    /// `KEY=VALUE`, the key perhaps with a type before it as buildx has it (`index:KEY=VALUE`).
    pub annotations: Vec<String>,
    /// `os/architecture[/variant]`
    pub platforms: Vec<String>,
    /// Words handed on to the program that builds.
    pub extra_args: Vec<String>,
    /// Form of the output.
    pub exporter: Exporter,
    /// The exporter's media types, where they were asked for.
    pub oci_mediatypes: Option<bool>,
    /// Whether the runtime may talk to a terminal.
    pub terminal: bool,
}

/// Which BuildKit builds.
#[derive(Clone, Debug, PartialEq)]
pub enum BuildKit {
    /// One made from this image.
    Image {
        /// The image reference.
        reference: String,
        /// What is known of it.
        pin: Option<&'static Pin>,
    },
    /// A buildx builder that exists.
    Existing(String),
}

/// What is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Context {
    /// A directory of this machine; an absolute path.
    Local(String),
    /// A git or http address, which BuildKit fetches itself.
    Remote(String),
}

impl Context {
    /// The path or address.
    pub fn as_str(&self) -> &str {
        match self {
            Context::Local(text) | Context::Remote(text) => text,
        }
    }
}

/// The form of the output tarball.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exporter {
    /// What `docker load` takes, old and new: an OCI layout with manifest.json. One platform only.
    Docker,
    /// An OCI layout.
    Oci,
}

impl Exporter {
    /// All exporters, the default first.
    pub const ALL: [Exporter; 2] = [Exporter::Docker, Exporter::Oci];

    /// BuildKit's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Exporter::Docker => "docker",
            Exporter::Oci => "oci",
        }
    }

    /// The exporter of that name.
    pub fn by_name(name: &str) -> Option<Exporter> {
        Exporter::ALL.into_iter().find(|exporter| exporter.name() == name)
    }
}

impl BuildRequest {
    /// What the exporter is told of media types: what was asked for, else what a known BuildKit does by itself,
    /// else nothing.
    pub fn effective_oci_mediatypes(&self) -> Option<bool> {
        let pin = match &self.builder {
            BuildKit::Image { pin, .. } => *pin,
            BuildKit::Existing(_) => None,
        };
        let own = pin.map(|pin| pin.oci_mediatypes || self.exporter == Exporter::Oci);
        self.oci_mediatypes.or(own)
    }
}
