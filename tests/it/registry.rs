//! Digests of published images: against Debian's docker-registry with images that skopeo pushed, and against made-up
//! registries where a real one would not misbehave.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
    time::Duration,
};

use crate::support::{Tool, digest, fixtures, tool};

mod made_up;

const TINY: &str = "good/tiny-skopeo19-oci-archive.tar";
const MULTI: &str = "good/bk31-oci-multi-rw0.tar";
const USER: &str = "lab";
const PASSWORD: &str = "s3cret:word";
/// python3 -c "import crypt; print(crypt.crypt('s3cret:word', '\$2b\$05\$abcdefghijklmnopqrstuu'))"
const HASH: &str = "$2b$05$abcdefghijklmnopqrstuu2JDQLR7mbHhdpill4/jMLDoVbsBhlUi";

/// A registry that runs until the test ends.
struct Registry {
    process: Child,
    directory: tempfile::TempDir,
    host: String,
    skopeo: Tool,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Registry {
    /// Starts one, if it and skopeo are installed; `private` asks for USER and PASSWORD.
    fn start(private: bool) -> Option<Registry> {
        Registry::start_with(|root| {
            if !private {
                return String::new();
            }
            fs::write(root.join("htpasswd"), format!("{USER}:{HASH}\n")).unwrap();
            let file = root.join("htpasswd");
            format!("auth:\n  htpasswd:\n    realm: lab\n    path: {}\n", file.display())
        })
    }

    /// One that speaks TLS, with a certificate of a new authority's, which is in `ca.crt`.
    /// `more` of its configuration is behind that of TLS.
    fn start_with_tls(more: impl Fn(&Path) -> String) -> Option<Registry> {
        let openssl = tool("openssl")?;
        Registry::start_with(|root| {
            let make = |name: &str, more: &[&str]| {
                let files = [root.join(format!("{name}.key")), root.join(format!("{name}.crt"))];
                let [key, certificate] = files.each_ref().map(|file| file.to_str().unwrap());
                let new = ["req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "2", "-subj"];
                let subject = format!("/CN={name}");
                openssl.run([&new[..], &[&subject, "-keyout", key, "-out", certificate], more].concat());
            };
            make("ca", &[]);
            let [key, certificate] = ["ca.key", "ca.crt"].map(|file| root.join(file));
            let by = ["-CA", certificate.to_str().unwrap(), "-CAkey", key.to_str().unwrap()];
            let leaf =
                ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"];
            make("server", &[by, leaf].concat());
            let [key, certificate] = ["server.key", "server.crt"].map(|file| root.join(file));
            let tls =
                format!("  tls:\n    certificate: {}\n    key: {}\n", certificate.display(), key.display());
            tls + &more(root)
        })
    }

    /// Starts one with more in its configuration, the section `http` first.
    fn start_with(more: impl FnOnce(&Path) -> String) -> Option<Registry> {
        let (server, skopeo) = (tool("docker-registry")?, tool("skopeo")?);
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let host = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let config = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {host}\n{}",
            root.join("storage").display(),
            more(root),
        );
        fs::write(root.join("config.yml"), config).unwrap();
        let mut command = server.command();
        command.arg("serve").arg(root.join("config.yml")).stdout(Stdio::null()).stderr(Stdio::null());
        let mut registry = Registry { process: command.spawn().unwrap(), directory, host, skopeo };
        while TcpStream::connect(&registry.host).is_err() {
            assert_eq!(registry.process.try_wait().unwrap(), None, "the registry ended");
            thread::sleep(Duration::from_millis(20));
        }
        Some(registry)
    }

    fn reference(&self, name: &str) -> String {
        format!("{}/{name}", self.host)
    }

    fn push(&self, fixture: &str, name: &str) {
        let from = format!("oci-archive:{}", fixtures(fixture).display());
        let to = format!("docker://{}", self.reference(name));
        let login = format!("--dest-creds={USER}:{PASSWORD}");
        self.skopeo.run([
            "--insecure-policy",
            "copy",
            "--all",
            "--dest-tls-verify=false",
            &login,
            &from,
            &to,
        ]);
    }

    /// The document under a name, as skopeo gets it.
    fn raw(&self, name: &str) -> String {
        let reference = format!("docker://{}", self.reference(name));
        self.skopeo.run(["inspect", "--tls-verify=false", "--raw", &reference])
    }

    fn run(&self, args: &[&str]) -> Output {
        run(self.directory.path(), args)
    }
}

/// The program, with a Docker configuration of the test's own.
fn command(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_repro-build"));
    command.args(args).env("DOCKER_CONFIG", home).env("HOME", home);
    command.env("XDG_RUNTIME_DIR", home.join("run")).env_remove("XDG_CONFIG_HOME");
    command.env_remove("REGISTRY_AUTH_FILE").env_remove("SSL_CERT_FILE");
    command.env("PATH", format!("{}:/usr/bin:/bin", home.display()));
    command
}

fn run(home: &Path, args: &[&str]) -> Output {
    command(home, args).output().unwrap()
}

/// What it printed; it must succeed.
#[track_caller]
fn line(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap().trim_end().to_owned()
}

#[track_caller]
fn fails(output: &Output, code: i32, why: &str) {
    let errors = [&output.stderr, &output.stdout].map(|bytes| String::from_utf8_lossy(bytes)).concat();
    assert_eq!(output.status.code(), Some(code), "{errors}");
    assert!(errors.contains(why), "{errors}\nhas no {why}");
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_published_image_has_the_digests_that_skopeo_sees() {
    let Some(registry) = Registry::start(false) else { return };
    registry.push(TINY, "lab/tiny:1");
    let reference = registry.reference("lab/tiny:1");
    let raw = registry.raw("lab/tiny:1");
    let manifest = digest("sha256", raw.as_bytes());
    assert_eq!(line(&registry.run(&["digest", &reference])), manifest);
    assert_eq!(line(&registry.run(&["digest", &format!("docker://{reference}")])), manifest);
    assert_eq!(
        line(&registry.run(&["digest", &registry.reference(&format!("lab/tiny@{manifest}"))])),
        manifest
    );
    let config = json(&raw)["config"]["digest"].as_str().unwrap().to_owned();
    assert_eq!(line(&registry.run(&["digest", "--rung=config", &reference])), config);
    fails(&registry.run(&["digest", "--rung=index", &reference]), 2, "no index");
    fails(&registry.run(&["digest", "--rung=layer", &reference]), 2, "does not tell the layer digest");

    fails(&registry.run(&["digest", &registry.reference("lab/tiny:2")]), 2, "lab/tiny:2");
    fails(&registry.run(&["digest", &registry.reference("lab/nothing:1")]), 2, "lab/nothing:1");
}

/// Whoever may write where the program runs must not say what was published.
#[test]
fn a_file_of_that_name_does_not_stand_in_for_an_image() {
    let Some(registry) = Registry::start(false) else { return };
    registry.push(TINY, "lab/tiny:1");
    let reference = registry.reference("lab/tiny:1");
    let published = digest("sha256", registry.raw("lab/tiny:1").as_bytes());
    let workspace = tempfile::tempdir().unwrap();
    let asked = |args: &[&str]| command(workspace.path(), args).current_dir(&workspace).output().unwrap();
    let by_scheme = format!("docker://{reference}");
    for planted in [&reference, &by_scheme] {
        let planted = workspace.path().join(planted);
        fs::create_dir_all(planted.parent().unwrap()).unwrap();
        fs::copy(fixtures("good/tiny-bk-docker-plain.tar"), planted).unwrap();
    }
    assert_ne!(line(&asked(&["digest", &reference])), published, "a file is what a plain name may be");
    assert_eq!(line(&asked(&["digest", &by_scheme])), published);
    let same = fixtures("good/tiny-bk-docker-rw0.tar");
    for expected in [&reference, &by_scheme] {
        line(&asked(&["verify", "--expect", expected, same.to_str().unwrap()]));
    }
}

#[test]
fn a_name_without_its_host_is_told_how_it_is_written() {
    let home = tempfile::tempdir().unwrap();
    for name in ["debian:12", "org/app:1", "debian"] {
        fails(&run(home.path(), &["digest", name]), 2, "HOST/NAME:TAG or docker://NAME:TAG");
        fails(&run(home.path(), &["verify", "--expect", name, "x.tar"]), 2, "docker://NAME:TAG");
    }
    for file in ["image.tar", "./debian:12", "Debian"] {
        fails(&run(home.path(), &["digest", file]), 2, "cannot open: No such file");
    }
}

#[test]
fn a_platform_of_an_index_is_chosen() {
    let Some(registry) = Registry::start(false) else { return };
    registry.push(MULTI, "lab/multi:1");
    let reference = registry.reference("lab/multi:1");
    let raw = registry.raw("lab/multi:1");
    let index = digest("sha256", raw.as_bytes());
    assert_eq!(line(&registry.run(&["digest", &reference])), index);
    assert_eq!(line(&registry.run(&["digest", "--rung=index", &reference])), index);
    for manifest in json(&raw)["manifests"].as_array().unwrap() {
        let platform = format!("linux/{}", manifest["platform"]["architecture"].as_str().unwrap());
        let own = manifest["digest"].as_str().unwrap();
        let ask = |more: &[&str]| {
            line(&registry.run(&[&["digest", "--platform", &platform], more, &[&reference]].concat()))
        };
        assert_eq!(ask(&[]), own);
        let config = json(&registry.raw(&format!("lab/multi@{own}")))["config"]["digest"].clone();
        assert_eq!(ask(&["--rung=config"]), config.as_str().unwrap());
    }
    let arm64 = |spelt: &str| line(&registry.run(&["digest", "--platform", spelt, &reference]));
    for spelt in ["linux/arm64/v8", "linux/aarch64", "linux/aarch64/v8"] {
        assert_eq!(arm64(spelt), arm64("linux/arm64"), "the same to containerd's platforms.Normalize");
    }
    fails(&registry.run(&["digest", "--rung=config", &reference]), 2, "linux/arm64");
    fails(&registry.run(&["digest", "--platform=linux/s390x", &reference]), 2, "linux/arm64");
}

#[test]
fn the_platform_of_a_single_image_must_be_the_one_that_is_asked_for() {
    let Some(registry) = Registry::start(false) else { return };
    registry.push(TINY, "lab/tiny:1");
    let reference = registry.reference("lab/tiny:1");
    let docker = format!("docker://{reference}");
    let config = json(&registry.skopeo.run(["inspect", "--tls-verify=false", "--config", &docker]));
    assert_eq!([&config["os"], &config["architecture"]], ["linux", "amd64"]);
    let ask = |platform: &str| registry.run(&["digest", "--platform", platform, &reference]);
    for same in ["linux/amd64", "linux/x86_64", "linux/amd64/v1"] {
        assert_eq!(line(&ask(same)), line(&registry.run(&["digest", &reference])));
    }
    for other in ["linux/arm64", "windows/amd64", "linux/amd64/v2"] {
        fails(&ask(other), 2, "there; it has linux/amd64");
    }
    let same = fixtures("good/tiny-bk-docker-rw0.tar");
    let expect = ["verify", "--platform=linux/arm64", "--expect", &reference, same.to_str().unwrap()];
    fails(&registry.run(&expect), 2, "no linux/arm64 there");
}

#[test]
fn flags_that_say_nothing_of_a_registry_are_refused_there() {
    let home = tempfile::tempdir().unwrap();
    for flag in ["--image=1", "--no-mmap", "--max-depth=3", "--max-members=3", "--max-unpacked=3"] {
        let name = flag.split('=').next().unwrap();
        fails(
            &run(home.path(), &["digest", flag, "docker://127.0.0.1:1/x"]),
            2,
            &format!("{name} says nothing"),
        );
    }
}

#[test]
fn a_registry_on_this_machine_may_speak_tls() {
    let Some(registry) = Registry::start_with_tls(|_| String::new()) else { return };
    registry.push(TINY, "lab/tiny:1");
    let reference = registry.reference("lab/tiny:1");
    let published = digest("sha256", registry.raw("lab/tiny:1").as_bytes());
    fails(&registry.run(&["digest", &reference]), 2, "certificate");
    let authority = registry.directory.path().join("ca.crt");
    let mut trusting = command(registry.directory.path(), &["digest", &reference]);
    assert_eq!(line(&trusting.env("SSL_CERT_FILE", authority).output().unwrap()), published);
}

#[test]
fn a_published_image_is_what_a_tarball_is_compared_with() {
    let Some(registry) = Registry::start(false) else { return };
    registry.push(TINY, "lab/tiny:1");
    let reference = registry.reference("lab/tiny:1");
    let fixture = |name: &str| fixtures(name).to_str().unwrap().to_owned();
    let (same, other) = (fixture("good/tiny-bk-docker-rw0.tar"), fixture("good/tiny-bk-docker-plain.tar"));
    line(&registry.run(&["verify", "--expect", &reference, &same]));
    fails(&registry.run(&["verify", "--expect", &reference, &other]), 1, "expect");
    let analyze = |file: &str| registry.run(&["analyze", "--expected-image-digest", &reference, file]);
    assert!(line(&analyze(&same)).contains("✅ Image digest matches abdc25f52195"));
    fails(&analyze(&other), 1, "does not have the expected digest");
    let missing = registry.reference("lab/tiny:2");
    fails(&registry.run(&["verify", "--expect", &missing, &same]), 2, &missing);
}

/// A build of one platform is compared with that platform's manifest, one of several with the index.
#[test]
fn a_build_is_compared_with_what_was_published_of_its_platforms() {
    use crate::build::fake::Fake;
    let Some(registry) = Registry::start(false) else { return };
    registry.push(MULTI, "lab/multi:1");
    registry.push(TINY, "lab/tiny:1");
    let (several, one) = (registry.reference("lab/multi:1"), registry.reference("lab/tiny:1"));
    let build = |fixture: &str, expected: &str, more: &[&str]| {
        let fake = Fake::new("success");
        fs::copy(fixtures(fixture), fake.path("fixture.tar")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_repro-build"));
        command.args(["build", "--sde=0", "--expected-image-digest", expected]).args(more).arg("../context");
        command.env_clear().env("HOME", fake.path("")).current_dir(fake.path("out"));
        command.env("PATH", format!("{}:/usr/bin:/bin", fake.path("bin").display()));
        (command.output().unwrap(), fake.log())
    };
    let tiny = "good/tiny-bk-docker-rw0.tar";
    for more in [&[][..], &["--platform=linux/amd64"]] {
        assert!(line(&build(tiny, &one, more).0).contains("✅ Image digest matches abdc25f52195"));
    }
    let (unnamed, log) = build(tiny, &several, &[]);
    fails(&unnamed, 2, "choose with --platform: linux/amd64, linux/arm64");
    assert!(log.is_empty(), "nothing is built before: {log:?}");
    fails(&build(tiny, &several, &["--platform=linux/amd64"]).0, 1, "does not have the expected digest");
    fails(&build(tiny, &several, &["--platform=linux/s390x"]).0, 2, "linux/arm64");

    let both = ["--platform=linux/amd64,linux/arm64", "--exporter=oci"];
    let index = line(&registry.run(&["digest", &several]));
    for expected in [&several, &index] {
        assert!(
            line(&build(MULTI, expected, &both).0)
                .contains(&format!("✅ Image digest matches {}", &index[7..]))
        );
    }
    let amd64 = line(&registry.run(&["digest", "--platform=linux/amd64", &several]));
    fails(&build(MULTI, &amd64, &both).0, 1, "(it is the manifest digest)");
}

#[test]
fn passwords_come_from_dockers_configuration_or_its_helper() {
    let Some(registry) = Registry::start(true) else { return };
    registry.push(TINY, "lab/tiny:1");
    let reference = registry.reference("lab/tiny:1");
    let home = registry.directory.path();
    let configure = |text: serde_json::Value| fs::write(home.join("config.json"), text.to_string()).unwrap();
    let asked = || registry.run(&["digest", &reference]);
    let published = "sha256:abdc25f521957cd674f46314e21ae37ca786b26fef8ae1b5900e093a06cab2ae";

    fails(&asked(), 2, &reference);
    let encoded = |password: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{password}"))
    };
    configure(serde_json::json!({"auths": {&registry.host: {"auth": encoded(PASSWORD)}}}));
    assert_eq!(line(&asked()), published);
    configure(serde_json::json!({"auths": {&registry.host: {"auth": encoded("wrong")}}}));
    fails(&asked(), 2, &reference);

    let helper = home.join("docker-credential-lab");
    let answer = serde_json::json!({"ServerURL": registry.host, "Username": USER, "Secret": PASSWORD});
    let asked_for = home.join("asked-for");
    fs::write(&helper, format!("#!/bin/sh\ncat >'{}'\necho '{answer}'\n", asked_for.display())).unwrap();
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    configure(serde_json::json!({"credHelpers": {&registry.host: "lab"}}));
    assert_eq!(line(&asked()), published);
    assert_eq!(fs::read_to_string(&asked_for).unwrap().trim(), registry.host);
    fs::write(&helper, "#!/bin/sh\necho 'locked' >&2\nexit 1\n").unwrap();
    fails(&asked(), 2, "credentials");
}

#[test]
fn no_password_goes_in_the_clear_where_the_registry_speaks_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let realm = format!("http://{}/token", listener.local_addr().unwrap());
    let token = |root: &Path| {
        let bundle = root.join("ca.crt");
        format!(
            "auth:\n  token:\n    realm: {realm}\n    service: lab\n    issuer: lab\n    rootcertbundle: {}\n",
            bundle.display()
        )
    };
    let Some(registry) = Registry::start_with_tls(token) else { return };
    let home = registry.directory.path();
    let config = serde_json::json!({"auths": {&registry.host: {"auth": "bGFiOnMzY3JldA=="}}});
    fs::write(home.join("config.json"), config.to_string()).unwrap();
    let mut command = command(home, &["digest", &registry.reference("lab/tiny:1")]);
    let output = command.env("SSL_CERT_FILE", home.join("ca.crt")).output().unwrap();
    fails(&output, 2, &realm);
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "somebody was asked for a token");
}

/// docker-credential-helpers: what is printed for a registry that the store does not know.
#[test]
fn a_helper_that_knows_nothing_of_a_registry_is_no_error() {
    let Some(registry) = Registry::start(false) else { return };
    registry.push(TINY, "lab/tiny:1");
    let home = registry.directory.path();
    let helper = home.join("docker-credential-lab");
    fs::write(&helper, "#!/bin/sh\ncat >/dev/null\necho credentials not found in native keychain\nexit 1\n")
        .unwrap();
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(home.join("config.json"), r#"{"credsStore": "lab"}"#).unwrap();
    line(&registry.run(&["digest", &registry.reference("lab/tiny:1")]));
}

/// The files are those that `skopeo login` writes.
#[test]
fn passwords_come_from_podmans_files_where_docker_has_none() {
    let Some(registry) = Registry::start(true) else { return };
    registry.push(TINY, "lab/tiny:1");
    let home = registry.directory.path();
    let reference = registry.reference("lab/tiny:1");
    let asked = || command(home, &["digest", &reference]);
    let login = |file: &Path| {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let file = file.to_str().unwrap();
        let who = ["login", "--tls-verify=false", "--authfile", file, "-u", USER, "-p", PASSWORD];
        registry.skopeo.run([&who[..], &[&registry.host]].concat());
    };
    let (session, kept) = (home.join("run/containers/auth.json"), home.join(".config/containers/auth.json"));
    for file in [session, kept] {
        fails(&asked().output().unwrap(), 2, "401 Unauthorized");
        login(&file);
        line(&asked().output().unwrap());
        fs::remove_file(file).unwrap();
    }

    let named = home.join("named.json");
    login(&named);
    let wrong = serde_json::json!({"auths": {&registry.host: {"auth": "bGFiOndyb25n"}}}).to_string();
    fs::write(home.join("config.json"), wrong).unwrap();
    fails(&asked().output().unwrap(), 2, "401 Unauthorized");
    line(&asked().env("REGISTRY_AUTH_FILE", &named).output().unwrap());
}

#[test]
fn a_broken_file_of_passwords_is_no_file_without_any() {
    let home = tempfile::tempdir().unwrap();
    let broken = home.path().join("config.json");
    fs::write(&broken, "{\"auths\": ").unwrap();
    fails(&run(home.path(), &["digest", "docker://127.0.0.1:1/x"]), 2, broken.to_str().unwrap());
}
