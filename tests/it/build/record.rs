//! Digests of what goes in, and records that ask for the same build again.

use std::{fs, path::Path};

use repro_build::{
    build::{BuildRecord, BuildRequest, Builder, Exporter, Rung, System, context_digest, dockerfile_digest},
    observe::Silent,
};

use super::environment::usage;

fn request(context: &Path, change: impl Fn(&mut Builder)) -> BuildRequest {
    let mut flags = Builder {
        runtime: Some("docker".into()),
        source_date_epoch: Some("1".into()),
        output: Some("/nonexistent/image.tar".into()),
        context: context.to_str().unwrap().into(),
        ..Builder::default()
    };
    change(&mut flags);
    BuildRequest::resolve(&flags, &System).unwrap()
}

fn context() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    fs::create_dir_all(root.join("src/deep")).unwrap();
    fs::write(root.join("Dockerfile"), "FROM scratch\n").unwrap();
    fs::write(root.join("src/a"), "a").unwrap();
    fs::write(root.join("src/deep/b"), "b").unwrap();
    directory
}

fn digest(root: &Path) -> String {
    context_digest(&request(root, |_| {}), &Silent).unwrap().unwrap().to_string()
}

#[test]
fn what_an_image_could_show_changes_the_digest_and_nothing_else_does() {
    let (one, two) = (context(), context());
    let root = one.path();
    let base = digest(root);
    assert_eq!(digest(two.path()), base, "another place, other times");
    let mut seen = vec![base.clone()];
    let mut change = |what: &str, change: &dyn Fn()| {
        change();
        let now = digest(root);
        assert!(!seen.contains(&now), "{what}");
        seen.push(now);
    };
    change("content", &|| fs::write(root.join("src/a"), "A").unwrap());
    change("a new file", &|| fs::write(root.join("new"), "").unwrap());
    change("a new directory", &|| fs::create_dir(root.join("empty")).unwrap());
    change("a name", &|| fs::rename(root.join("new"), root.join("newer")).unwrap());
    change("a removed file", &|| fs::remove_file(root.join("newer")).unwrap());
    #[cfg(unix)]
    {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let mode = |mode| fs::set_permissions(root.join("src/a"), fs::Permissions::from_mode(mode)).unwrap();
        change("an executable bit", &|| mode(0o755));
        change("a link", &|| symlink("src/a", root.join("link")).unwrap());
        change("a link's target", &|| {
            fs::remove_file(root.join("link")).unwrap();
            symlink("src/b", root.join("link")).unwrap();
        });
    }
}

#[test]
fn ignored_files_and_our_own_output_do_not_count() {
    let directory = context();
    let root = directory.path();
    fs::write(root.join(".dockerignore"), "*.log\ncache\n!cache/keep\n").unwrap();
    let base = digest(root);
    fs::write(root.join("x.log"), "1").unwrap();
    fs::create_dir(root.join("cache")).unwrap();
    fs::write(root.join("cache/x"), "1").unwrap();
    assert_eq!(digest(root), base);
    fs::write(root.join("cache/keep"), "1").unwrap();
    let kept = digest(root);
    assert_ne!(kept, base);

    let own = |output: &str| {
        let output = root.join(output).to_str().unwrap().to_owned();
        let request = request(root, |flags| flags.output = Some(output.clone()));
        context_digest(&request, &Silent).unwrap().unwrap().to_string()
    };
    fs::write(root.join("image.tar"), "an image").unwrap();
    assert_eq!(own("image.tar"), kept);
    assert_ne!(own("src/../other.tar"), kept);
}

#[test]
fn the_dockerfile_has_its_own_digest() {
    let directory = context();
    let digest = dockerfile_digest(&request(directory.path(), |_| {})).unwrap().unwrap();
    // printf 'FROM scratch\n' | sha256sum
    assert_eq!(digest.to_string(), "sha256:bb57c7da220a8753d7bdabac0d3afdb6efa742e4c736c5bc93ab40dfd5e23b9b");
}

#[test]
fn a_record_asks_for_the_same_build_again() {
    let directory = context();
    let root = directory.path();
    let file = root.join("src/a").to_str().unwrap().to_owned();
    let full = request(root, |flags| {
        flags.file = Some(file.clone());
        flags.tags = vec!["a:1".into(), "b:2".into()];
        flags.build_args = vec!["A=x, \"y\"\nz".into()];
        flags.annotations = vec!["index:k=v".into()];
        flags.platforms = vec!["linux/amd64,linux/arm64".into()];
        flags.buildx_args = Some("--label 'a=b c'".into());
        flags.exporter = Some(Exporter::Oci);
        flags.no_cache = true;
        flags.buildkit_image = Some("v0.19.0".into());
    });
    let record = BuildRecord::new(&full, "buildx v1\n", &Silent).unwrap();
    assert_eq!(
        (record.runtime.version.as_str(), record.dockerfile.address.as_deref()),
        ("buildx v1", Some("src/a"))
    );
    let json = record.to_json().unwrap();
    assert!(!json.contains(root.to_str().unwrap()), "{json}");
    let read = BuildRecord::parse(json.as_bytes()).unwrap();
    assert_eq!(read, record);

    let flags = Builder { output: Some(full.output.clone()), ..read.flags(root.to_str().unwrap()).unwrap() };
    let again = BuildRequest::resolve(&flags, &System).unwrap();
    // What was left to the pin is written down in the record.
    assert_eq!(again, BuildRequest { oci_mediatypes: Some(true), ..full });
    assert!(record.differences(&BuildRecord::new(&again, "buildx v1", &Silent).unwrap()).is_empty());
}

#[test]
fn differences_name_the_context_first_and_the_image_last() {
    let directory = context();
    let rung = |digest: &str| Rung { rung: "manifest".into(), platform: None, digest: digest.into() };
    let mut old = BuildRecord::new(&request(directory.path(), |_| {}), "v1", &Silent).unwrap();
    fs::write(directory.path().join("src/a"), "changed").unwrap();
    let mut new =
        BuildRecord::new(&request(directory.path(), |flags| flags.tags = vec!["t".into()]), "v2", &Silent)
            .unwrap();
    old.image = vec![rung("sha256:1")];
    new.image = vec![rung("sha256:2"), rung("sha256:3")];
    let what: Vec<_> = old.differences(&new).into_iter().map(|difference| difference.what).collect();
    assert_eq!(what, ["context", "tags", "runtime's version", "manifest", "manifest"]);
}

#[test]
fn a_record_is_input_like_any_other() {
    let directory = context();
    let record = BuildRecord::new(&request(directory.path(), |_| {}), "v1", &Silent).unwrap();
    let context = directory.path().to_str().unwrap();
    usage(BuildRecord::parse(b"{}"));
    usage(BuildRecord::parse(b"\x1b[31m"));
    usage(BuildRecord::parse(&serde_json::to_vec(&BuildRecord { schema: 2, ..record.clone() }).unwrap()));
    usage(BuildRecord { exporter: "image,push=true".into(), ..record.clone() }.flags(context));
    for hostile in [
        BuildRecord { buildkit_image: Some("--volume=/:/host".into()), ..record.clone() },
        BuildRecord { tags: vec!["a,push=true".into()], ..record.clone() },
        BuildRecord { platforms: vec!["-x".into()], ..record.clone() },
    ] {
        usage(BuildRequest::resolve(&hostile.flags(context).unwrap(), &System));
    }
    let mut later: serde_json::Value = serde_json::to_value(&record).unwrap();
    later["added_later"] = "x".into();
    assert_eq!(BuildRecord::parse(later.to_string().as_bytes()).unwrap(), record);
}
