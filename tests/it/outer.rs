//! Entries of the outer archive that readers of images do not all read alike, and archives that stop too early.

use std::os::unix::fs::FileExt as _;

use repro_build::grade::Grade;

use crate::judge::{judge, told};
use crate::support::{Doc, ImageBuilder, Layer, Layout, Member, Packing, tar, tool};

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
        let file = std::fs::File::create(&path).unwrap();
        file.set_len(member.data.len() as u64).unwrap();
        for (number, block) in member.data.chunks(4096).enumerate().filter(|(_, block)| **block != [0; 4096])
        {
            file.write_all_at(block, 4096 * number as u64).unwrap();
        }
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
