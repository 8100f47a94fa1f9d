//! A conversation with one registry about one repository (distribution-spec, "Pull"; Docker's token authentication).

use std::{
    io::Read as _,
    iter::{self, successors},
    net::IpAddr,
    time::Duration,
};

use docker_credential::DockerCredential;
use http_auth::{ChallengeRef, parser::ChallengeParser};
use oci_spec::distribution::Reference;
use reqwest::{
    StatusCode, Url,
    blocking::{Client, RequestBuilder, Response},
    header::{ACCEPT, WWW_AUTHENTICATE},
};

use super::credentials;
use crate::{
    digest::{Algorithm, Digest},
    error::{Error, ErrorKind, Result},
    escape::escape,
    json,
    limits::Limits,
};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(15);
/// How long a request may take, its answer included: documents are small.
const WHOLE: Duration = Duration::from_secs(60);
/// How many bytes of an answer that refuses are shown.
const SHOWN: u64 = 400;

pub(super) struct Session<'l> {
    client: Client,
    /// `https://HOST/v2/REPOSITORY/`
    base: Url,
    repository: String,
    credentials: Option<DockerCredential>,
    /// What the registry was found to want to see.
    token: Option<Token>,
    limits: &'l Limits,
}

enum Token {
    Bearer(String),
    Basic(String, String),
}

impl<'l> Session<'l> {
    pub(super) fn open(reference: &Reference, limits: &'l Limits) -> Result<Session<'l>> {
        // Several crates may bring a TLS provider of their own; a second installation is refused and harmless.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .connect_timeout(CONNECT)
            .user_agent(concat!("repro-build/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(failed)?;
        let host = reference.resolve_registry();
        let plain = is_loopback(host) && !speaks(&client, "https", host) && speaks(&client, "http", host);
        let scheme = if plain { "http" } else { "https" };
        let repository = reference.repository().to_owned();
        let base = Url::parse(&format!("{scheme}://{host}/v2/{repository}/"));
        let base = base.map_err(|e| Error::usage(format!("no registry of that name: {e}")))?;
        let credentials = credentials::of(reference.registry())?;
        Ok(Session { client, base, repository, credentials, token: None, limits })
    }

    /// The content under a tag or a digest, and its digest: one of `manifests` or `blobs`.
    pub(super) fn fetch(&mut self, kind: &str, name: &str, accept: &[&str]) -> Result<(Digest, Vec<u8>)> {
        let asked = if name.contains(':') { Some(Digest::parse(name)) } else { None };
        let asked = asked.transpose().map_err(|e| Error::usage(e.to_string()))?;
        let url = self.base.join(&format!("{kind}/{name}")).map_err(|e| Error::usage(e.to_string()))?;
        let response = self.ask(url, accept)?;
        // Not needed, but a registry that contradicts itself is broken, or somebody stands between.
        let told = response.headers().get("docker-content-digest").and_then(|told| told.to_str().ok());
        let told = told.and_then(|told| Digest::parse(told).ok());
        let bytes = self.body(response)?;
        for expected in [asked, told].into_iter().flatten() {
            let digest = Digest::of(expected.algorithm(), &bytes);
            if digest != expected {
                let message = format!("the registry gave content of another digest: {digest}");
                return Err(Error::new(ErrorKind::Changed, message));
            }
        }
        Ok((asked.unwrap_or_else(|| Digest::of(Algorithm::Sha256, &bytes)), bytes))
    }

    /// Asks as nobody first: what is wanted, the answer says.
    fn ask(&mut self, url: Url, accept: &[&str]) -> Result<Response> {
        let request = |session: &Session<'_>| {
            let request = session.client.get(url.clone()).timeout(WHOLE);
            let request = if accept.is_empty() { request } else { request.header(ACCEPT, accept.join(", ")) };
            match &session.token {
                Some(Token::Bearer(token)) => request.bearer_auth(token),
                Some(Token::Basic(user, password)) => request.basic_auth(user, Some(password)),
                None => request,
            }
        };
        let response = request(self).send().map_err(failed)?;
        // A redirect may have led elsewhere, where nobody's password belongs.
        let own = response.url().origin() == self.base.origin();
        if response.status() != StatusCode::UNAUTHORIZED || self.token.is_some() || !own {
            return Ok(response);
        }
        self.token = self.token_for(&response)?;
        if self.token.is_some() { request(self).send().map_err(failed) } else { Ok(response) }
    }

    /// What answers the first challenge of `response` that can be answered.
    fn token_for(&self, response: &Response) -> Result<Option<Token>> {
        let headers = response.headers().get_all(WWW_AUTHENTICATE);
        let challenges = headers.iter().filter_map(|header| header.to_str().ok());
        for challenge in challenges.flat_map(|header| ChallengeParser::new(header).map_while(|c| c.ok())) {
            if challenge.scheme.eq_ignore_ascii_case("bearer") {
                return self.bearer(&challenge).map(Some);
            }
            if let ("basic", Some(DockerCredential::UsernamePassword(user, password))) =
                (challenge.scheme.to_ascii_lowercase().as_str(), &self.credentials)
            {
                return Ok(Some(Token::Basic(user.clone(), password.clone())));
            }
        }
        Ok(None)
    }

    /// Fetches a token from where `challenge` says that it is to be had.
    fn bearer(&self, challenge: &ChallengeRef<'_>) -> Result<Token> {
        let value = |key: &str| {
            let found = challenge.params.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
            found.map(|(_, value)| value.to_unescaped())
        };
        let realm = value("realm").and_then(|realm| Url::parse(&realm).ok());
        let realm = realm.ok_or_else(|| unusable("it does not say where a token is to be had"))?;
        if self.credentials.is_some() && self.base.scheme() == "https" && realm.scheme() != "https" {
            return Err(unusable(&format!("it wants the password sent to {realm}, where all can read it")));
        }
        let scope = value("scope").unwrap_or_else(|| format!("repository:{}:pull", self.repository));
        let mut asked = vec![("scope", scope)];
        asked.extend(value("service").map(|service| ("service", service)));
        let request: RequestBuilder = match &self.credentials {
            None => self.client.get(realm).query(&asked),
            Some(DockerCredential::UsernamePassword(user, password)) => {
                self.client.get(realm).query(&asked).basic_auth(user, Some(password))
            }
            Some(DockerCredential::IdentityToken(token)) => {
                asked.push(("grant_type", "refresh_token".to_owned()));
                asked.push(("refresh_token", token.clone()));
                asked.push(("client_id", env!("CARGO_PKG_NAME").to_owned()));
                self.client.post(realm).form(&asked)
            }
        };
        let bytes = self.body(request.timeout(WHOLE).send().map_err(failed)?)?;
        let root = json::parse(&bytes, self.limits).root;
        let text = |key| root.as_ref()?.get(key)?.str().ok().map(str::to_owned);
        let token = text("token").or_else(|| text("access_token"));
        token.map(Token::Bearer).ok_or_else(|| unusable("it gave no token"))
    }

    /// The whole of an answer, if it is what was asked for and no longer than a document may be.
    fn body(&self, response: Response) -> Result<Vec<u8>> {
        let (status, url, max) = (response.status(), response.url().clone(), self.limits.max_json);
        let refused = status != StatusCode::OK;
        let mut bytes = Vec::new();
        let most = if refused { SHOWN } else { max.saturating_add(1) };
        response.take(most).read_to_end(&mut bytes).map_err(|e| unusable(&chain(&e)))?;
        if refused {
            let said = String::from_utf8_lossy(&bytes);
            return Err(unusable(&format!("{url}: {status}: {}", said.trim())));
        }
        if u64::try_from(bytes.len()).is_ok_and(|length| length > max) {
            let message = format!("the registry sends more than the limit of {max} bytes (--max-json)");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        Ok(bytes)
    }
}

/// Whether there is a registry that speaks this.
fn speaks(client: &Client, scheme: &str, host: &str) -> bool {
    let answer = client.get(format!("{scheme}://{host}/v2/")).send();
    answer.is_ok_and(|response| [StatusCode::OK, StatusCode::UNAUTHORIZED].contains(&response.status()))
}

/// Whether a registry is on this machine, where plain HTTP is what people run.
fn is_loopback(registry: &str) -> bool {
    let host = registry.split(':').next().unwrap_or_default();
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn unusable(why: &str) -> Error {
    Error::new(ErrorKind::Io, format!("the registry did not give it: {}", escape(why.as_bytes())))
}

fn failed(error: reqwest::Error) -> Error {
    unusable(&chain(&error))
}

/// An error and all that is underneath: on top, a refused connection looks like a wrong certificate.
fn chain(error: &dyn std::error::Error) -> String {
    let below = successors(error.source(), |error| error.source());
    let mut all: Vec<String> = iter::once(error.to_string()).chain(below.map(ToString::to_string)).collect();
    all.dedup();
    all.join(": ")
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn loopback_is_what_stays_on_the_machine() {
        for host in ["localhost", "localhost:5000", "127.0.0.1:5000", "127.9.9.9"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["registry.example", "10.0.0.1:5000", "localhost.example:80"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
