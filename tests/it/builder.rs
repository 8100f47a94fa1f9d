//! The builder itself: readers that are not ours find its images right, and each way to bend one does what it says.

use std::collections::BTreeMap;
use std::io::Read as _;

use oci_spec::image::{Descriptor, ImageConfiguration, ImageIndex, ImageManifest};
use serde_json::json;

use crate::support::{Doc, Image, ImageBuilder, Layer, Layout, Member, Packing, digest, tar, tool};

type Files = BTreeMap<String, Vec<u8>>;

/// The outer archive by the `tar` crate: the last member of a name counts.
fn files(archive: &[u8]) -> Files {
    let mut files = Files::new();
    for entry in tar::Archive::new(archive).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        files.insert(String::from_utf8(entry.path_bytes().to_vec()).unwrap(), bytes);
    }
    files
}

fn blob<'a>(files: &'a Files, descriptor: &Descriptor) -> Result<&'a [u8], String> {
    let claimed = descriptor.digest().to_string();
    let (algorithm, hex) = claimed.split_once(':').unwrap();
    let bytes = files.get(&format!("blobs/{algorithm}/{hex}")).ok_or(format!("{claimed} is missing"))?;
    if digest(algorithm, bytes) != claimed || bytes.len() as u64 != descriptor.size() {
        return Err(format!("{claimed} is something else"));
    }
    Ok(bytes)
}

fn unpacked(layer: &[u8]) -> Vec<u8> {
    let mut tar = Vec::new();
    match layer {
        [0x1f, 0x8b, ..] => flate2::read::MultiGzDecoder::new(layer).read_to_end(&mut tar).map(drop).unwrap(),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => tar = zstd::decode_all(layer).unwrap(),
        _ => tar = layer.to_vec(),
    }
    tar
}

/// Walks the tree as `oci-spec` reads it; the number of images, or the first thing that is wrong.
fn walk(files: &Files, index: &ImageIndex) -> Result<usize, String> {
    let mut images = 0;
    for descriptor in index.manifests() {
        let bytes = blob(files, descriptor)?;
        if descriptor.media_type().to_string().contains("index") {
            images += walk(files, &ImageIndex::from_reader(bytes).map_err(|e| e.to_string())?)?;
            continue;
        }
        let manifest = ImageManifest::from_reader(bytes).map_err(|e| e.to_string())?;
        let config = blob(files, manifest.config())?;
        let config = ImageConfiguration::from_reader(config).map_err(|e| e.to_string())?;
        let mut diff_ids = Vec::new();
        for layer in manifest.layers() {
            diff_ids.push(digest("sha256", &unpacked(blob(files, layer)?)));
        }
        if *config.rootfs().diff_ids() != diff_ids {
            return Err("diff_ids".into());
        }
        images += 1;
    }
    Ok(images)
}

fn check(builder: &ImageBuilder) -> Result<usize, String> {
    let files = files(&builder.tar());
    walk(&files, &ImageIndex::from_reader(&files["index.json"][..]).map_err(|e| e.to_string())?)
}

fn one_file() -> Layer {
    Layer::new(&[Member::file("a", "a")])
}

#[test]
fn good_images_are_right_for_the_tar_crate_and_oci_spec() {
    assert_eq!(check(&ImageBuilder::good()), Ok(1));
    assert_eq!(check(&ImageBuilder::good().layout(Layout::Oci).nested(3)), Ok(1));
    for packing in Packing::ALL {
        let layers = vec![one_file().pack(packing), one_file().pack(packing)];
        assert_eq!(check(&ImageBuilder::good().layers(layers)), Ok(1), "{packing:?}");
    }
    for algorithm in ["sha256", "sha384", "sha512"] {
        let builder = ImageBuilder::good().map(move |image| image.algorithm(algorithm));
        let built = builder.build();
        assert!(built.digest(Doc::Layer(0, 0)).starts_with(algorithm));
        assert_eq!(check(&builder), Ok(1), "{algorithm}");
    }
    let many = ImageBuilder::good()
        .image(Image::new(vec![one_file()]).platform("linux/arm64/v8").name("example.com/lab/other:2"))
        .image(Image::attestation(0));
    assert_eq!(check(&many), Ok(3));
}

#[test]
fn the_same_bytes_every_time() {
    for layout in Layout::ALL {
        let tar = || ImageBuilder::good().layout(layout).tar();
        assert!(tar() == tar(), "{layout:?}");
    }
}

#[test]
fn what_is_bent_before_its_digest_stays_right() {
    let plain = ImageBuilder::good().build();
    let bent = ImageBuilder::good().json(Doc::Config(0), |config| config["config"]["Env"] = json!(["A=B"]));
    assert_eq!(check(&bent), Ok(1));
    let built = bent.build();
    for doc in [Doc::Config(0), Doc::Manifest(0), Doc::Index, Doc::DockerManifest] {
        assert_ne!(built.digest(doc), plain.digest(doc), "{doc:?}");
    }
    assert_eq!(built.digest(Doc::Layer(0, 0)), plain.digest(Doc::Layer(0, 0)));

    let texts = ImageBuilder::good().replace(Doc::Config(0), "LAB=1", "LAB=2");
    assert_eq!(check(&texts), Ok(1));
    let two_members = one_file().blob(|blob| blob.extend(Packing::Gzip.pack(b"")));
    assert_eq!(check(&ImageBuilder::good().layers(vec![two_members])), Ok(1));
}

#[test]
fn what_is_bent_after_its_digest_is_wrong() {
    for doc in [Doc::Layer(0, 1), Doc::Config(0), Doc::Manifest(0)] {
        let bent = ImageBuilder::good().stored(doc, |bytes| bytes[9] ^= 1);
        assert!(check(&bent).unwrap_err().contains("something else"), "{doc:?}");
        assert!(check(&ImageBuilder::good().missing(doc)).unwrap_err().contains("is missing"), "{doc:?}");
    }
    let shared =
        ImageBuilder::good().layers(vec![one_file(); 2]).stored(Doc::Layer(0, 0), |bytes| bytes[9] ^= 1);
    assert!(check(&shared).unwrap_err().contains("something else"));
    let swapped = ImageBuilder::good().json(Doc::Config(0), |config| {
        config["rootfs"]["diff_ids"].as_array_mut().unwrap().swap(0, 1);
    });
    assert_eq!(check(&swapped), Err("diff_ids".into()));
}

#[test]
fn the_outer_archive_bends_too() {
    let twice = ImageBuilder::good().outer(|outer| {
        let mut copy = outer.member(Doc::Index).clone();
        copy.data = b"{}".to_vec();
        outer.members.push(copy);
    });
    assert_eq!(files(&twice.tar())["index.json"], b"{}");
    let built = twice.build();
    assert_eq!(built.members().iter().filter(|member| member.name == b"index.json").count(), 2);

    let whole = ImageBuilder::good().tar();
    let cut = ImageBuilder::good().bytes(|bytes| bytes.truncate(bytes.len() - 1024)).tar();
    assert_eq!([&cut[..], &[0; 1024]].concat(), whole);
    let packed = ImageBuilder::good().bytes(|bytes| *bytes = Packing::Gzip.pack(bytes)).tar();
    assert_eq!(unpacked(&packed), whole);
}

#[test]
#[should_panic(expected = "changes nothing")]
fn an_edit_that_changes_nothing_is_a_mistake() {
    ImageBuilder::good().replace(Doc::Config(0), "no such text", "").tar();
}

#[test]
#[should_panic(expected = "is not in this archive")]
fn an_edit_of_nothing_is_a_mistake() {
    ImageBuilder::good().text(Doc::NestedIndex(0), Vec::clear).tar();
}

#[test]
fn skopeo_copies_every_layout() {
    let Some(skopeo) = tool("skopeo") else { return };
    for layout in Layout::ALL {
        let built = ImageBuilder::good().layout(layout).build();
        let file = built.file();
        let transport =
            if matches!(layout, Layout::Oci | Layout::Both) { "oci-archive" } else { "docker-archive" };
        let source = format!("{transport}:{}", file.path().display());
        let target = tempfile::tempdir().unwrap();
        let directory = format!("dir:{}", target.path().display());
        skopeo.run(["copy", "--quiet", "--insecure-policy", &source, &directory]);
        let config = skopeo.run(["inspect", "--config", "--raw", &source]);
        assert_eq!(digest("sha256", config.as_bytes()), built.digest(Doc::Config(0)), "{layout:?}");
        if transport == "oci-archive" {
            let manifest = skopeo.run(["inspect", "--raw", &source]);
            assert_eq!(digest("sha256", manifest.as_bytes()), built.digest(Doc::Manifest(0)), "{layout:?}");
        }
    }
    let folder = ImageBuilder::good().layout(Layout::Oci).build().folder();
    skopeo.run(["inspect", &format!("oci:{}", folder.path().display())]);
}

#[test]
fn both_views_of_an_archive_name_the_same_config() {
    let Some(skopeo) = tool("skopeo") else { return };
    let built = ImageBuilder::good().build();
    let file = built.file();
    let config =
        skopeo.run(["inspect", "--config", "--raw", &format!("docker-archive:{}", file.path().display())]);
    assert_eq!(digest("sha256", config.as_bytes()), built.digest(Doc::Config(0)));
    assert_eq!(
        built.name(Doc::Config(0)),
        format!("blobs/{}", built.digest(Doc::Config(0)).replace(':', "/"))
    );
}

/// Prints one line for each member: what Python's tarfile makes of the header and the PAX records.
const LISTING: &str = "
import sys, tarfile
for m in tarfile.open(sys.argv[1], errors='surrogateescape'):
    xattrs = {k: v for k, v in m.pax_headers.items() if k.startswith('SCHILY')}
    print(m.type.decode(), len(m.name), oct(m.mode), m.uid, m.gid, m.uname, m.size, m.mtime, m.linkname, m.devmajor, m.devminor, xattrs)
";

#[test]
fn members_say_what_they_were_told() {
    let Some(python) = tool("python3") else { return };
    let long = "n".repeat(300);
    let members = [
        Member::file(&long, "four").mode(0o4755).owner(5_000_000, 4_294_967_294).owner_names("me", "us"),
        Member::dir("d/").mtime(-5),
        Member::symlink("l", "d").mtime(20_000_000_000),
        Member::hardlink("h", &long),
        Member::device(b'3', "null", 1, 3),
        Member::file("x", "").xattr("user.k", "v").pax("mtime", "1.5"),
        Member::whiteout("d/gone"),
        Member::pax_global(&[("comment", "c")]),
        Member::file("last", "").patch(100, "0000600").size(0),
    ];
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), tar(&members)).unwrap();
    let listing = python.run(["-c", LISTING, file.path().to_str().unwrap()]);
    let wanted = [
        "0 300 0o4755 5000000 4294967294 me 4 0  0 0 {}".to_string(),
        "5 1 0o755 0 0  0 -5.0  0 0 {}".into(),
        "2 1 0o777 0 0  0 20000000000.0 d 0 0 {}".into(),
        format!("1 1 0o644 0 0  0 0 {long} 0 0 {{}}"),
        "3 4 0o644 0 0  0 0  1 3 {}".into(),
        "0 1 0o644 0 0  0 1.5  0 0 {'SCHILY.xattr.user.k': 'v'}".into(),
        "0 10 0o644 0 0  0 0  0 0 {}".into(),
        "0 4 0o600 0 0  0 0  0 0 {}".into(),
    ];
    assert_eq!(listing.lines().collect::<Vec<_>>(), wanted);
}

#[test]
fn a_wrong_checksum_is_written_as_told() {
    let bytes = Member::file("a", "").checksum("00000000").bytes();
    assert_eq!(&bytes[148..156], b"00000000");
    assert!(tar::Archive::new(&bytes[..]).entries().unwrap().next().unwrap().is_err());
}
