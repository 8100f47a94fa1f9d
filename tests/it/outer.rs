//! Entries of the outer archive that readers of images do not all read alike, and archives that stop too early.

use repro_build::grade::Grade;

use crate::judge::{judge, told};
use crate::support::{Doc, ImageBuilder, Layer, Layout, Member, Outer, Packing, tar, tool, write_sparse};

/// The errors that an archive has, each id once.
fn errors(archive: Vec<u8>) -> Vec<&'static str> {
    let verdict = judge(archive);
    let Ok(found) = &verdict else { panic!("{}", told(&verdict)) };
    let mut ids: Vec<_> =
        found.findings.iter().filter(|f| f.grade == Grade::Error).map(|f| f.check).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// The good image with a hole in the archive's own entry of a layer: what stands there is what the
/// digest names, but everybody who unpacks it gets 4096 zero bytes in the middle.
fn with_a_hole(layout: Layout) -> ImageBuilder {
    ImageBuilder::good().layout(layout).outer(|outer| {
        let layer = outer.member(Doc::Layer(0, 0));
        let size = layer.data.len();
        let map = format!("0,9,{},{}", 9 + 4096, size - 9);
        *layer = layer
            .clone()
            .pax("GNU.sparse.major", "0")
            .pax("GNU.sparse.minor", "1")
            .pax("GNU.sparse.numblocks", "2")
            .pax("GNU.sparse.size", (size + 4096).to_string())
            .pax("GNU.sparse.map", map);
    })
}

/// skopeo fills up the holes and finds another digest (`Digest did not match`), for every layout.
#[test]
fn a_sparse_entry_is_not_taken_for_its_stored_bytes() {
    for layout in Layout::ALL {
        let found = errors(with_a_hole(layout).tar());
        assert_eq!(found, ["archive.sparse-entry", "document.no-complete-image"], "{layout:?}");
    }
}

/// What GNU tar makes with -S of a layout on disk. skopeo reads that form, so nothing may be said of digests.
#[test]
fn a_sparse_entry_that_is_right_is_called_sparse_and_nothing_else() {
    let Some(program) = tool("tar") else { return };
    let zeros = Member::file("zeros", vec![0; 1 << 20]);
    let layer = Layer::of_tar(tar(&[zeros]), Packing::Plain);
    let built = ImageBuilder::good().layout(Layout::Oci).layers(vec![layer]).build();
    let folder = tempfile::tempdir().unwrap();
    for member in built.members() {
        let path = folder.path().join(std::str::from_utf8(&member.name).unwrap());
        if member.kind == b'5' {
            std::fs::create_dir_all(&path).unwrap();
            continue;
        }
        write_sparse(&path, &member.data);
    }
    for format in ["gnu", "posix"] {
        let archive = folder.path().join("image.tar");
        let output = program
            .command()
            .args(["--hole-detection=raw", "-cSf"])
            .args([archive.as_os_str(), format!("--format={format}").as_ref()])
            .args(["-C".as_ref(), folder.path().as_os_str()])
            .args(["oci-layout", "index.json", "blobs"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let archive = std::fs::read(archive).unwrap();
        assert!(archive.len() < 1 << 20, "the hole is stored");
        let found = errors(archive);
        assert_eq!(found, ["archive.sparse-entry", "document.no-complete-image"], "{format}");
    }
}

/// As measured with skopeo 1.9.3 and podman 4.3 (both layouts), docker 20.10 and GNU tar.
#[test]
fn a_hard_link_is_another_name_of_what_is_before_it() {
    fn layer(of: impl Fn(&Member) -> [Member; 3] + 'static) -> Vec<u8> {
        let edit = move |outer: &mut Outer| {
            let at = outer.position(Doc::Layer(0, 0));
            let layer = outer.members.remove(at);
            outer.members.splice(at..at, of(&layer));
        };
        ImageBuilder::good().layout(Layout::Oci).outer(edit).tar()
    }
    fn link(layer: &Member, target: &str) -> Member {
        Member::hardlink(&layer.name, target)
    }
    fn data(layer: &Member) -> Member {
        Member::file("data", layer.data.clone())
    }
    let broken = ["blob.broken-link", "document.no-complete-image"];
    let forward = layer(|layer| [link(layer, "data"), data(layer), Member::dir("d/")]);
    assert_eq!(errors(forward), [&["archive.hardlink-missing"], &broken[..]].concat());
    // The link is a symbolic link as `l` is, but in the layer's folder, where there is no `data`.
    let symbolic = layer(|layer| [data(layer), Member::symlink("l", "data"), link(layer, "l")]);
    assert_eq!(errors(symbolic), ["blob.missing", "document.no-complete-image"]);
    let folder = layer(|layer| [Member::dir("d/"), data(layer), link(layer, "d")]);
    assert_eq!(errors(folder), ["blob.not-a-file", "document.no-complete-image"]);
    for good in [
        layer(|layer| [data(layer), link(layer, "./data"), Member::dir("d/")]),
        layer(|layer| [data(layer), Member::hardlink("l", "data"), link(layer, "l")]),
        layer(|layer| {
            [data(layer), Member::symlink("blobs/sha256/l", "../../data"), link(layer, "blobs/sha256/l")]
        }),
    ] {
        let verdict = judge(good);
        let Ok(found) = &verdict else { panic!("{}", told(&verdict)) };
        let ids: Vec<_> = found.findings.iter().map(|finding| finding.check).collect();
        assert_eq!(ids, ["blob.is-link"], "{}", told(&verdict));
    }
}

/// What was seen says that there is more: that is no reason to call it no image.
#[test]
fn an_archive_that_breaks_off_is_a_bad_image() {
    for layout in Layout::ALL {
        let good = ImageBuilder::good().layout(layout).tar();
        let found = errors(good[..700].to_vec());
        assert!(found.iter().any(|id| id.starts_with("tar.truncated-")), "{layout:?}: {found:?}");
        for packing in [Packing::Gzip, Packing::Zstd] {
            let packed = packing.pack(&good);
            for keep in [20, packed.len() / 2, packed.len() - 1] {
                let found = errors(packed[..keep].to_vec());
                assert!(found.contains(&"archive.outer-damaged"), "{layout:?} {packing:?} {keep}: {found:?}");
            }
        }
    }
    assert!(judge(vec![0; 1024]).is_err() && judge(tar(&[Member::file("a", "x")])).is_err());
}

/// docker, podman and skopeo load these, so that "no index.json, no manifest.json" is not true.
#[test]
fn documents_under_names_that_lead_out_are_not_overlooked() {
    for prefix in ["/", "x/../", "../"] {
        let image = ImageBuilder::good().outer(|outer| {
            for member in &mut outer.members {
                member.name = [prefix.as_bytes(), &member.name].concat();
            }
        });
        assert!(errors(image.tar()).contains(&"archive.unsafe-name"), "{prefix}");
    }
    for kind in [b'7', b'6', b'5'] {
        let image = ImageBuilder::good().layout(Layout::Docker).outer(move |outer| {
            let member = outer.member(Doc::DockerManifest);
            *member = Member::of_kind(kind, &member.name, []);
        });
        assert_eq!(errors(image.tar()), ["blob.not-a-file"], "type {kind}");
    }
}
