//! Registries that a test makes up.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use super::{fails, line, run};
use crate::support::digest;

/// A manifest as a registry would have it.
const MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:0d12b6846fe300000000000000000000000000000000000000000000000000ab","size":2},"layers":[]}"#;

/// What somebody asks for.
struct Asked {
    /// The request line, and behind it the body.
    request: String,
    path: String,
    /// Whether it comes with the token.
    allowed: bool,
}

/// Answers every request with what `say` makes of it. Returns its address.
fn registry(say: impl Fn(&str, &Asked, &mut TcpStream) -> io::Result<()> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let own = host.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // Who hangs up early has seen enough.
            let _ = asked(&stream).and_then(|asked| say(&own, &asked, &mut stream));
        }
    });
    host
}

fn asked(stream: &TcpStream) -> io::Result<Asked> {
    let mut reader = BufReader::new(stream.try_clone()?.take(1 << 16));
    let head = reader.by_ref().lines().take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty()));
    let head = head.collect::<io::Result<Vec<String>>>()?;
    let first = head.first().ok_or(io::ErrorKind::UnexpectedEof)?;
    let is = |line: &String, is: &str| line.eq_ignore_ascii_case(is);
    let length =
        head.iter().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = String::new();
    reader.take(length.unwrap_or(0)).read_to_string(&mut body)?;
    Ok(Asked {
        request: format!("{first} {body}"),
        path: first.split(' ').nth(1).unwrap_or_default().to_owned(),
        allowed: head.iter().any(|line| is(line, "authorization: Bearer the-token")),
    })
}

fn answer(stream: &mut TcpStream, status: &str, more: &str, body: &str) -> io::Result<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{more}\r\n");
    stream.write_all(format!("{head}{body}").as_bytes())
}

/// Answers every manifest request with [`MANIFEST`], to those who fetched a token first. Returns its address; the
/// requests it sees are noted.
fn token_registry() -> (String, Arc<Mutex<Vec<String>>>) {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&requests);
    let host = registry(move |host, asked, stream| {
        noted.lock().unwrap().push(asked.request.clone());
        let challenge = format!("Www-Authenticate: Bearer realm=\"http://{host}/token\",service=\"lab\"\r\n");
        match asked.path.as_str() {
            path if path.starts_with("/token") => answer(stream, "200 OK", "", r#"{"token":"the-token"}"#),
            path if asked.allowed && path.contains("/manifests/") => answer(stream, "200 OK", "", MANIFEST),
            _ => answer(stream, "401 Unauthorized", &challenge, "{}"),
        }
    });
    (host, requests)
}

#[test]
fn a_registry_that_wants_a_token_gets_one() {
    let (host, requests) = token_registry();
    let home = tempfile::tempdir().unwrap();
    let output = run(home.path(), &["digest", &format!("{host}/lab/x:1")]);
    assert_eq!(line(&output), digest("sha256", MANIFEST.as_bytes()));
    let requests = requests.lock().unwrap();
    let token = requests.iter().find(|request| request.contains("/token?")).unwrap();
    assert!(token.contains("service=lab") && token.contains("scope=repository%3Alab%2Fx%3Apull"), "{token}");
}

/// distribution/docs/spec/auth/oauth.md: a refresh token is posted, never sent to the registry.
#[test]
fn an_identity_token_is_given_for_an_access_token() {
    let (host, requests) = token_registry();
    let home = tempfile::tempdir().unwrap();
    let config = serde_json::json!({"auths": {&host: {"identitytoken": "the-refresh"}}});
    fs::write(home.path().join("config.json"), config.to_string()).unwrap();
    line(&run(home.path(), &["digest", &format!("{host}/lab/x:1")]));
    let requests = requests.lock().unwrap();
    let [token] = requests.iter().filter(|request| request.contains("the-refresh")).collect::<Vec<_>>()[..]
    else {
        panic!("{requests:?}");
    };
    for part in ["POST /token ", "grant_type=refresh_token", "refresh_token=the-refresh", "service=lab"] {
        assert!(token.contains(part), "{token}");
    }
}

#[test]
fn a_registry_that_gives_other_bytes_than_asked_for_is_not_believed() {
    let (host, _) = token_registry();
    let home = tempfile::tempdir().unwrap();
    let asked = |digest: &str| run(home.path(), &["digest", &format!("{host}/lab/x@{digest}")]);
    let honest = digest("sha256", MANIFEST.as_bytes());
    assert_eq!(line(&asked(&honest)), honest);
    fails(&asked(&digest("sha256", b"something else")), 2, "another digest");

    let header = format!("Docker-Content-Digest: {}\r\n", digest("sha256", b"something else"));
    let host = registry(move |_, _, stream| answer(stream, "200 OK", &header, MANIFEST));
    fails(&run(home.path(), &["digest", &format!("{host}/lab/x:1")]), 2, "another digest");
}

/// Sends white space as long as somebody takes it, wherever `here` is in the path.
fn endless(here: &'static str) -> String {
    registry(move |host, asked, stream| {
        if asked.path.contains(here) {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            let chunk = [b"10000\r\n".as_slice(), &[b' '; 1 << 16], b"\r\n"].concat();
            loop {
                stream.write_all(&chunk)?;
            }
        }
        let challenge = format!("Www-Authenticate: Bearer realm=\"http://{host}/token\"\r\n");
        answer(stream, "401 Unauthorized", &challenge, "")
    })
}

#[test]
fn an_answer_without_end_is_cut_off() {
    let home = tempfile::tempdir().unwrap();
    for here in ["/manifests/", "/token"] {
        let name = format!("{}/lab/x:1", endless(here));
        fails(&run(home.path(), &["digest", &name]), 2, "more than the limit of 8388608 bytes (--max-json)");
        fails(&run(home.path(), &["digest", "--max-json=1000", &name]), 2, "the limit of 1000 bytes");
    }
}

#[test]
fn what_is_no_manifest_has_no_digest() {
    let config =
        r#""config":{"digest":"sha256:0d12b6846fe300000000000000000000000000000000000000000000000000ab"}"#;
    for (body, why) in [
        (r#"{"a":1}"#.to_owned(), "neither an image manifest nor an index"),
        (r#"{"schemaVersion":2,"manifests":null}"#.to_owned(), "neither"),
        (r#"{"schemaVersion":2,"manifests":{}}"#.to_owned(), "neither"),
        (format!(r#"{{"schemaVersion":2,{config}}}"#), "neither"),
        (format!(r#"{{"schemaVersion":2,{config},"layers":[],"manifests":[]}}"#), "neither"),
        (r#"{"schemaVersion":2,"config":{"digest":"sha256:12"},"layers":[]}"#.to_owned(), "no configuration"),
        (r#"{"schemaVersion":1,"name":"x","tag":"1","fsLayers":[],"history":[]}"#.to_owned(), "schema 1"),
        (format!(r#"{{"schemaVersion":2,{config},{config},"layers":[]}}"#), "strict JSON"),
        ("<html>login</html>".to_owned(), "strict JSON"),
    ] {
        let given = body.clone();
        let host = registry(move |_, _, stream| answer(stream, "200 OK", "", &given));
        let home = tempfile::tempdir().unwrap();
        let output = run(home.path(), &["digest", &format!("{host}/lab/x:1")]);
        fails(&output, 2, why);
        assert!(output.stdout.is_empty(), "{body}");
    }
}

#[test]
fn nobody_there_is_said_with_the_reference_and_why() {
    let host = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let home = tempfile::tempdir().unwrap();
    let reference = format!("{host}/lab/x:1");
    let output = run(home.path(), &["digest", &reference]);
    fails(&output, 2, &reference);
    fails(&output, 2, "Connection refused");
}

/// RFC 2606: no host has a name below `invalid`.
#[test]
fn a_host_without_an_address_is_said_to_have_none() {
    let home = tempfile::tempdir().unwrap();
    fails(&run(home.path(), &["digest", "registry.invalid/x:1"]), 2, "dns error");
}
