//! Digests of images in a registry, for comparing a tarball with what was published.
//!
//! Knows references, credentials and manifests; fetches manifests only, never layers, and believes no header: every
//! digest is computed from the bytes that came. Must not know about archives or findings.

use std::{net::IpAddr, time::Duration};

use oci_client::{
    Client, Reference,
    client::{ClientConfig, ClientProtocol},
    secrets::RegistryAuth,
};

use crate::{
    digest::{Algorithm, Digest},
    error::{Error, ErrorKind, Result},
    escape::escape,
    json::{self, Node},
    limits::Limits,
    location::Location,
    media::Media,
};

/// What a registry has under a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The digest of what the tag itself points to: an index or a manifest.
    pub digest: Digest,
    /// The index, if the tag points to one.
    pub index: Option<Digest>,
    /// The manifest: of the platform that was asked for, or the only one there is.
    pub manifest: Option<Digest>,
    /// The manifest's configuration (Docker's image ID).
    pub config: Option<Digest>,
    /// Platforms the index lists.
    pub platforms: Vec<String>,
}

/// Whether `text` has the form of an image's name, such as `debian:12` or `ghcr.io/org/app:1`, and is no tarball's.
pub fn is_name(text: &str) -> bool {
    !text.ends_with(".tar") && Reference::try_from(text).is_ok()
}

/// Whether `text` is an image's name whose first part is its registry's host: `localhost`, or with a `.` or `:` in it.
/// What exists as a file is the caller's to say.
pub fn has_host(text: &str) -> bool {
    let Some((host, _)) = text.split_once('/') else { return false };
    (host == "localhost" || host.contains(['.', ':'])) && is_name(text)
}

/// Asks the registry what it has under `text`, for `platform` (`os/arch[/variant]`) where the tag has several.
///
/// # Errors
/// [`ErrorKind::Usage`] for a malformed reference or a platform that is not there, [`ErrorKind::Io`] where the registry
/// cannot be reached or refuses, [`ErrorKind::Changed`] where what comes does not have the digest it was asked by.
pub fn published(text: &str, platform: Option<&str>) -> Result<Published> {
    let at = Location::new(text);
    let reference = Reference::try_from(text)
        .map_err(|e| Error::usage(format!("no image reference: {e}")).at(at.clone()))?;
    let session = Session::open(reference, at.clone())?;
    let top = session.fetch(&session.reference)?;
    let digest = top.digest;
    if top.media != Media::Index {
        let config = top.child("config");
        return Ok(Published { digest, index: None, manifest: Some(digest), config, platforms: Vec::new() });
    }
    let platforms: Vec<(String, Digest)> = top.platforms();
    let names = platforms.iter().map(|(name, _)| name.clone()).collect();
    let chosen = match platform {
        None => match platforms.as_slice() {
            [(_, only)] => Some(*only),
            _ => None,
        },
        Some(wanted) => {
            let found =
                platforms.iter().find(|(name, _)| name == wanted || name.starts_with(&format!("{wanted}/")));
            let Some((_, digest)) = found else {
                let known: Vec<&str> = platforms.iter().map(|(name, _)| name.as_str()).collect();
                let message = format!("no {wanted} there; it has {}", escape(known.join(", ").as_bytes()));
                return Err(Error::usage(message).at(at));
            };
            Some(*digest)
        }
    };
    let config = match chosen {
        Some(manifest) => {
            session.fetch(&session.reference.clone_with_digest(manifest.to_string()))?.child("config")
        }
        None => None,
    };
    Ok(Published { digest, index: Some(digest), manifest: chosen, config, platforms: names })
}

/// A connection to one registry for one repository.
struct Session {
    reference: Reference,
    auth: RegistryAuth,
    client: Client,
    runtime: tokio::runtime::Runtime,
    at: Location,
}

/// A manifest or an index as it came.
struct Fetched {
    digest: Digest,
    media: Media,
    root: Node,
}

const CONNECT: Duration = Duration::from_secs(15);
const READ: Duration = Duration::from_secs(60);

impl Session {
    fn open(reference: Reference, at: Location) -> Result<Session> {
        let failed = |what: &str, e: String| Error::new(ErrorKind::Io, format!("{what}: {e}"));
        // Several crates may bring a TLS provider of their own; a second installation is refused and harmless.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let registry = reference.resolve_registry().to_owned();
        let protocol = if is_loopback(&registry) {
            ClientProtocol::HttpsExcept(vec![registry])
        } else {
            ClientProtocol::Https
        };
        let config = ClientConfig {
            protocol,
            connect_timeout: Some(CONNECT),
            read_timeout: Some(READ),
            user_agent: concat!("repro-build/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| Error::io(at.clone(), "cannot start", e))?;
        let client = Client::try_from(config).map_err(|e| failed("cannot make a client", e.to_string()))?;
        let auth = credentials(reference.registry())?;
        Ok(Session { reference, auth, client, runtime, at })
    }

    fn fetch(&self, reference: &Reference) -> Result<Fetched> {
        let accept: Vec<&str> = Media::Index.names().chain(Media::Manifest.names()).collect();
        let request = self.client.pull_manifest_raw(reference, &self.auth, &accept);
        let (bytes, _) = self.runtime.block_on(request).map_err(|e| {
            let message = format!("the registry did not give it: {}", escape(e.to_string().as_bytes()));
            Error::new(ErrorKind::Io, message).at(self.at.clone())
        })?;
        let asked = reference.digest().map(Digest::parse).transpose();
        let asked = asked.map_err(|e| Error::usage(e.to_string()).at(self.at.clone()))?;
        let digest = Digest::of(asked.map_or(Algorithm::Sha256, |asked| asked.algorithm()), &bytes);
        if asked.is_some_and(|asked| asked != digest) {
            let message = format!("the registry gave content of another digest: {digest}");
            return Err(Error::new(ErrorKind::Changed, message).at(self.at.clone()));
        }
        let parsed = json::parse(&bytes, &Limits::default());
        let root = parsed.root.filter(|_| parsed.faults.is_empty());
        let Some(root) = root else {
            let message = "the registry gave a manifest that is not strict JSON";
            return Err(Error::new(ErrorKind::NotAnImage, message).at(self.at.clone()));
        };
        let own = root.get("mediaType").and_then(|node| node.str().ok()).map(Media::of);
        let index = own == Some(Media::Index) || root.get("manifests").is_some();
        Ok(Fetched { digest, media: if index { Media::Index } else { Media::Manifest }, root })
    }
}

impl Fetched {
    fn child(&self, key: &str) -> Option<Digest> {
        Digest::parse(self.root.get(key)?.get("digest")?.str().ok()?).ok()
    }

    /// What an index lists, attestations left out.
    fn platforms(&self) -> Vec<(String, Digest)> {
        let manifests = self.root.get("manifests").and_then(|node| node.array().ok()).unwrap_or_default();
        manifests
            .iter()
            .filter_map(|manifest| {
                let text = |node: &Node, key: &str| node.get(key)?.str().ok().map(str::to_owned);
                let digest = Digest::parse(&text(manifest, "digest")?).ok()?;
                let platform = manifest.get("platform")?;
                let (os, architecture) = (text(platform, "os")?, text(platform, "architecture")?);
                let variant = text(platform, "variant").filter(|variant| !variant.is_empty());
                let name =
                    variant.map_or(format!("{os}/{architecture}"), |v| format!("{os}/{architecture}/{v}"));
                (os != "unknown").then_some((name, digest))
            })
            .collect()
    }
}

/// Whether a registry is on this machine, where plain HTTP is what people run.
fn is_loopback(registry: &str) -> bool {
    let host = match registry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => registry.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What Docker's configuration and its credential helpers know of a registry; nothing is no error.
fn credentials(registry: &str) -> Result<RegistryAuth> {
    use docker_credential::{CredentialRetrievalError as Failure, DockerCredential};
    let server = if registry == "docker.io" { "https://index.docker.io/v1/" } else { registry };
    match docker_credential::get_credential(server) {
        Ok(DockerCredential::UsernamePassword(user, password)) => Ok(RegistryAuth::Basic(user, password)),
        Ok(DockerCredential::IdentityToken(token)) => Ok(RegistryAuth::Bearer(token)),
        Err(Failure::ConfigNotFound | Failure::ConfigReadError | Failure::NoCredentialConfigured) => {
            Ok(RegistryAuth::Anonymous)
        }
        Err(error) => {
            let message =
                format!("cannot use Docker's credentials for {}: {error}", escape(registry.as_bytes()));
            Err(Error::new(ErrorKind::Io, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_no_references() {
        for text in ["image.tar", "./a.b/c", "../x/y.tar", "out.d/y.tar", "dir/image.tar", "/a/b", "-"] {
            assert!(!has_host(text), "{text}");
        }
        for text in ["ghcr.io/a/b:1", "localhost/x", "127.0.0.1:5000/lab/tiny:1"] {
            assert!(has_host(text), "{text}");
        }
    }

    #[test]
    fn loopback_is_what_stays_on_the_machine() {
        assert!(
            ["localhost", "localhost:5000", "127.0.0.1:5000", "[::1]:5000", "127.9.9.9"]
                .iter()
                .all(|h| is_loopback(h))
        );
        assert!(
            !["registry.example", "10.0.0.1:5000", "localhost.example:80"].iter().any(|h| is_loopback(h))
        );
    }
}
