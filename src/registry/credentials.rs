//! What the user's files say of who they are to a registry: Docker's `config.json`, podman's `auth.json`
//! (containers-auth.json(5)), and the credential helpers these name.

use std::{env, fs, io, path::PathBuf};

use docker_credential::{CredentialRetrievalError as Failure, DockerCredential, get_credential_from_reader};

use crate::{
    error::{Error, ErrorKind, Result},
    escape::escape,
    location::Location,
};

/// What a credential helper prints for a registry that it does not know (docker-credential-helpers).
const NOT_FOUND: &str = "credentials not found in native keychain";

/// What the first file that knows `registry` says; that none does is no error.
pub(super) fn of(registry: &str) -> Result<Option<DockerCredential>> {
    // Docker writes its own registry in another way than podman does.
    let servers: &[&str] =
        if registry == "docker.io" { &["https://index.docker.io/v1/", "docker.io"] } else { &[registry] };
    for file in files() {
        let at = Location::new(file.as_os_str().as_encoded_bytes());
        let text = match fs::read(&file) {
            Ok(text) => text,
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => continue,
            Err(e) => return Err(Error::io(at, "cannot read", e)),
        };
        for server in servers {
            match get_credential_from_reader(text.as_slice(), server) {
                Ok(credential) => return Ok(Some(credential)),
                Err(Failure::NoCredentialConfigured) => {}
                Err(Failure::HelperFailure { stdout, .. }) if stdout.trim() == NOT_FOUND => {}
                Err(error) => {
                    let message = format!("cannot use the credentials for {registry}: {error}");
                    return Err(Error::new(ErrorKind::Io, escape(message.as_bytes())).at(at));
                }
            }
        }
    }
    Ok(None)
}

/// Where credentials may be, what goes before first.
fn files() -> impl Iterator<Item = PathBuf> {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let below = |name: &str, path: &str| variable(name).map(|directory| directory.join(path));
    let docker = below("DOCKER_CONFIG", "config.json").or_else(|| below("HOME", ".docker/config.json"));
    let podman = below("XDG_RUNTIME_DIR", "containers/auth.json").or_else(runtime);
    let kept = below("XDG_CONFIG_HOME", "containers/auth.json")
        .or_else(|| below("HOME", ".config/containers/auth.json"));
    [variable("REGISTRY_AUTH_FILE"), docker, podman, kept].into_iter().flatten()
}

/// Where podman keeps them for a user without a session, such as root.
fn runtime() -> Option<PathBuf> {
    #[cfg(unix)]
    return Some(format!("/run/containers/{}/auth.json", rustix::process::getuid().as_raw()).into());
    #[cfg(not(unix))]
    None
}
