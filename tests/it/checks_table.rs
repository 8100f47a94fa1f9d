//! Every check has an image that it finds something in, and `docs/checks.md` lists every check with that finding.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use repro_build::{
    digest::Digest,
    grade::Grade,
    image::Platform,
    inspect::Request,
    limits::Limits,
    verify::{Options, Pattern, checks},
};
use serde_json::{Value, json};

use crate::judge::{judge_with, told};
use crate::support::{Doc, Image, ImageBuilder, Layer, Layout, Member, Packing, fixtures, tar};

/// An image, and what is asked of it.
struct Case {
    id: &'static str,
    archive: Vec<u8>,
    request: Request,
}

fn case(id: &'static str, image: ImageBuilder) -> Case {
    Case { id, archive: image.tar(), request: Request::default() }
}

fn good() -> ImageBuilder {
    ImageBuilder::good()
}

/// The good image without the docker view, so that layers and documents can be exchanged freely.
fn oci() -> ImageBuilder {
    good().layout(Layout::Oci)
}

/// An image whose only layer is this tar.
fn of_tar(tar: Vec<u8>) -> ImageBuilder {
    oci().layers(vec![Layer::of_tar(tar, Packing::Gzip)])
}

fn of_members(members: &[Member]) -> ImageBuilder {
    of_tar(tar(members))
}

/// The members without an end marker.
fn open_end(members: &[Member]) -> Vec<u8> {
    let mut bytes = tar(members);
    bytes.truncate(bytes.len() - 1024);
    bytes
}

fn limited(id: &'static str, image: ImageBuilder, limit: impl FnOnce(&mut Limits)) -> Case {
    let mut case = case(id, image);
    limit(&mut case.request.limits);
    case
}

fn asked(id: &'static str, image: ImageBuilder, ask: impl FnOnce(&mut Options)) -> Case {
    let mut case = case(id, image);
    ask(&mut case.request.verify);
    case
}

fn pax(records: &str) -> Member {
    Member::of_kind(b'x', "PaxHeaders/member", records)
}

fn gnu_long(kind: u8, text: &str) -> Member {
    Member::of_kind(kind, "././@LongLink", text).patch(257, *b"ustar  \0")
}

fn file() -> Member {
    Member::file("a", "one\n")
}

/// A header's checksum as the sum of signed bytes.
fn signed_checksum() -> Member {
    let member = Member::file(b"caf\xe9", "");
    let header = member.bytes();
    let sum: i64 = header
        .iter()
        .take(512)
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { i64::from(byte.cast_signed()) })
        .sum();
    member.checksum(format!("{sum:06o}\0 "))
}

fn member_cases() -> Vec<Case> {
    let dirs = |top: usize| Member::file(format!("{top}/{}", "d/".repeat(126)), "");
    let too_many: Vec<Member> = (0..8500).map(dirs).collect();
    let map = |map: &str| {
        let body = [map.as_bytes(), &vec![0; 512 - map.len() % 512]].concat();
        let sparse = Member::file("sparse", body).pax("GNU.sparse.major", "1").pax("GNU.sparse.minor", "0");
        sparse.pax("GNU.sparse.name", "real").pax("GNU.sparse.realsize", "4096")
    };
    let long_map = format!("300000\n{}", "1\n0\n".repeat(300_000));
    let truncated = |at: usize| {
        let mut bytes = tar(&[file(), Member::file("b", vec![b'x'; 600])]);
        bytes.truncate(at);
        of_tar(bytes)
    };
    let mut dirty_padding = tar(&[file()]);
    dirty_padding[600] = 1;
    let zero = vec![0; 512];
    let one = |id, member: Member| case(id, of_members(&[member]));
    let gnu = |member: Member| member.patch(257, *b"ustar  \0");
    let [d, symlink] = [Member::dir("d/"), Member::symlink("l", "d")];
    vec![
        one("tar.header-checksum", file().checksum("0000001\0")),
        one("tar.number-invalid", file().patch(108, *b"0000008\0")),
        one("tar.number-overflow", file().patch(124, *b"\x80\0\0\x01\0\0\0\0\0\0\0\0")),
        one("tar.size-negative", file().patch(124, [0xff; 12])),
        case("tar.pax-record", of_members(&[pax("99 comment=x\n"), file()])),
        one("tar.pax-nul", file().pax("path", "a\0b")),
        one("tar.pax-number", file().pax("size", "4.0")),
        one("tar.pax-time", file().pax("mtime", "nan")),
        one("tar.sparse-map", map("x\n0\n512\n")),
        one("tar.sparse-data", Member::of_kind(b'S', "s", "12345").patch(257, *b"ustar  \0")),
        one("tar.sparse-too-long", map(&long_map)),
        case("tar.truncated-header", truncated(1200)),
        case("tar.truncated-extension", {
            let mut bytes = tar(&[file(), pax(&format!("211 comment={}\n", "x".repeat(198)))]);
            bytes.truncate(1024 + 512 + 100);
            of_tar(bytes)
        }),
        case("tar.truncated-body", truncated(1024 + 512 + 300)),
        case(
            "tar.zero-block-inside",
            of_tar([open_end(&[file()]), zero.clone(), tar(std::slice::from_ref(&d))].concat()),
        ),
        case("tar.extension-without-member", of_members(&[file(), pax("13 comment=x\n")])),
        case("tar.archive-after-end", of_tar([tar(&[file()]), tar(std::slice::from_ref(&d))].concat())),
        case(
            "tar.pax-size-before-gnu",
            of_members(&[pax("9 size=4\n"), gnu_long(b'L', "long\0"), Member::file("a", "one\n")]),
        ),
        limited(
            "tar.extension-too-large",
            of_members(&[file().xattr("user.a", "x".repeat(200))]),
            |limits| {
                limits.max_extension = 100;
            },
        ),
        limited("tar.too-many-members", of_members(&vec![d.clone(); 40]), |limits| limits.max_members = 30),
        case("tar.too-many-directories", of_members(&too_many)),
        one("tar.checksum-signed", signed_checksum()),
        one("tar.number-lead", file().patch(108, *b"\x90\0\0\0\0\0\0\x01")),
        one("tar.number-nul", file().patch(108, *b"\x00000005\0")),
        one("tar.number-spaces", file().patch(108, [b' '; 8])),
        one("tar.number-negative", file().patch(108, [0xff; 8])),
        one("tar.header-only-with-size", Member::dir("d/").size(512)),
        one("tar.gnu-times", gnu(file()).patch(345, *b"00000000001\0")),
        one("tar.gnu-prefix", gnu(file()).patch(345, *b"prefix")),
        one("tar.gnu-real-size", gnu(file()).patch(483, *b"00000000007\0")),
        one("tar.stray-prefix", file().patch(257, [0; 8]).patch(345, *b"prefix")),
        case(
            "tar.gnu-real-size",
            oci().layers(vec![Layer::of_tar(
                tar(&[gnu(file()).patch(483, *b"00000000007\0")]),
                Packing::Plain,
            )]),
        ),
        one("tar.pax-duplicate-key", file().pax("comment", "a").pax("comment", "b")),
        case("tar.pax-repeated", of_members(&[pax("13 comment=x\n"), file().pax("comment", "y")])),
        one("tar.pax-empty", file().pax("path", "")),
        one("tar.pax-number-form", file().pax("uid", "007")),
        case("tar.pax-record-form", of_members(&[pax("11  path=b\n"), file()])),
        case("tar.pax-global-field", of_members(&[Member::pax_global(&[("uname", "x")]), file()])),
        case("tar.pax-gnu-mix", of_members(&[pax("10 path=x\n"), gnu_long(b'L', "long\0"), file()])),
        case("tar.gnu-long-empty", of_members(&[gnu_long(b'L', "\0"), file()])),
        case("tar.gnu-long-nul", of_members(&[gnu_long(b'L', "long\0more\0"), file()])),
        case("tar.gnu-long-repeated", of_members(&[gnu_long(b'L', "x\0"), gnu_long(b'L', "y\0"), file()])),
        one("tar.sparse-version", file().pax("GNU.sparse.major", "2").pax("GNU.sparse.minor", "0")),
        one("tar.sparse-stray", file().pax("GNU.sparse.name", "b")),
        one("tar.sparse-gnu", gnu(Member::of_kind(b'S', "s", "")).patch(483, *b"00000000007\0")),
        case("tar.truncated-padding", of_tar(open_end(&[file()])[..700].to_vec())),
        case("tar.end-marker-missing", of_tar(open_end(&[file()]))),
        case("tar.end-marker-half", of_tar([open_end(&[file()]), zero.clone()].concat())),
        case("tar.data-after-end", of_tar([tar(&[file()]), b"more".to_vec()].concat())),
        one("tar.bytes-after-nul", file().patch(10, *b"hidden")),
        one("tar.number-blank", file().patch(108, [0; 8])),
        one("tar.pax-size-override", file().size(0).pax("size", "4")),
        one("tar.pax-newline", file().xattr("user.note", "a\nb")),
        one("tar.pax-time-digits", file().pax("mtime", "1.0000000001")),
        case("tar.pax-global", of_members(&[Member::pax_global(&[("comment", "x")]), file()])),
        one(
            "tar.sparse",
            Member::file("s", vec![b'x'; 512])
                .pax("GNU.sparse.map", "512,512")
                .pax("GNU.sparse.numblocks", "1")
                .pax("GNU.sparse.size", "4096"),
        ),
        case("tar.padding-not-zero", of_tar(dirty_padding)),
        case("tar.empty-half-marker", of_tar(zero)),
        Case {
            id: "tar.toc-after-end",
            archive: std::fs::read(fixtures("good").join("bk31-oci-small-estargz.tar")).unwrap(),
            request: Request::default(),
        },
        one("tar.path-empty", Member::file("", "")),
        one("tar.path-absolute", Member::file("/etc/passwd", "")),
        one("tar.path-parent", Member::file("../evil", "")),
        one("tar.path-deep", Member::file("x", "").pax("path", ["d/".repeat(129).as_str(), "x"].concat())),
        one("tar.path-trailing-slash", Member::file("a/", "x")),
        case("tar.path-through-symlink", of_members(&[d.clone(), symlink.clone(), Member::file("l/x", "")])),
        case("tar.duplicate-path", of_members(&[file(), Member::file("./a", "two\n")])),
        case(
            "tar.duplicate-through-symlink",
            of_members(&[d.clone(), symlink, Member::file("d/x", ""), Member::file("l/x", "")]),
        ),
        case("tar.duplicate-directory", of_members(&[d.clone(), d.clone()])),
        case("tar.whiteout-and-path", of_members(&[Member::whiteout("a"), file()])),
        one("tar.whiteout-dot", Member::file(".wh..", "")),
        one("tar.whiteout-with-data", Member::file(".wh.a", "hidden")),
        case(
            "tar.opaque-late",
            of_members(&[d, Member::file("d/x", ""), Member::file("d/.wh..wh..opq", "")]),
        ),
        one("tar.opaque-root", Member::file(".wh..wh..opq", "")),
        one("tar.overlay-marker", Member::device(b'3', "gone", 0, 0)),
        case(
            "tar.hardlink-to-whiteout",
            of_members(&[Member::whiteout("a"), Member::hardlink("b", ".wh.a")]),
        ),
        one("tar.hardlink-missing", Member::hardlink("b", "below")),
        one("tar.link-empty", Member::symlink("l", "")),
        one("tar.type-unknown", Member::of_kind(b'A', "odd", "")),
        one("tar.type-by-name", Member::of_kind(0, "a/", "").pax("path", "b")),
        one("tar.link-unused", file().patch(157, *b"x")),
        one("tar.device", Member::device(b'4', "disk", 8, 0)),
        one("tar.set-id", file().mode(0o4755)),
        one("tar.file-capability", file().xattr("security.capability", [1, 0, 0, 2])),
    ]
}

fn archive_cases() -> Vec<Case> {
    let twin = |change: fn(&mut Member)| {
        good().outer(move |outer| {
            let mut twin = outer.member(Doc::Index).clone();
            change(&mut twin);
            outer.members.push(twin);
        })
    };
    let extra = |members: &[Member]| {
        let members = members.to_vec();
        good().outer(move |outer| outer.members.extend(members.iter().cloned()))
    };
    vec![
        case("archive.duplicate-entry", twin(|twin| twin.data.push(b' '))),
        case("archive.repeated-entry", twin(|_| ())),
        case("archive.unsafe-name", extra(&[Member::file("../evil", "")])),
        case("archive.odd-name", extra(&[Member::file("..\\evil", "")])),
        case("archive.special-entry", extra(&[Member::device(b'4', "disk", 8, 0)])),
        case(
            "archive.sparse-entry",
            good().outer(|outer| {
                let layer = outer.member(Doc::Layer(0, 0));
                let size = layer.data.len().to_string();
                let map = format!("0,{size}");
                *layer = layer
                    .clone()
                    .pax("GNU.sparse.numblocks", "1")
                    .pax("GNU.sparse.size", size)
                    .pax("GNU.sparse.map", map);
            }),
        ),
        case("archive.through-link", extra(&[Member::symlink("l", "blobs"), Member::file("l/x", "")])),
        case("archive.link-outside", extra(&[Member::symlink("l", "../../etc/passwd")])),
        case("archive.hardlink-missing", extra(&[Member::hardlink("l", "later"), Member::file("later", "")])),
        case("archive.link-loop", extra(&[Member::symlink("l", "m"), Member::symlink("m", "l")])),
        case("archive.long-tail", good().bytes(|bytes| bytes.resize(bytes.len() + (64 << 20) + 1, 0))),
        case("archive.outer-compression", good().bytes(|bytes| *bytes = Packing::Zstd.pack(bytes))),
        case(
            "archive.outer-damaged",
            good().bytes(|bytes| {
                *bytes = Packing::Gzip.pack(bytes);
                bytes.truncate(bytes.len() - 4);
            }),
        ),
    ]
}

fn json_cases() -> Vec<Case> {
    let config = |from, to| oci().replace(Doc::Config(0), from, to);
    let nested = "[".repeat(200) + &"]".repeat(200);
    vec![
        limited("json.too-large", good(), |limits| limits.max_json = 300),
        case("json.bom", oci().text(Doc::Index, |text| *text = [b"\xef\xbb\xbf", text.as_slice()].concat())),
        case(
            "json.not-utf8",
            oci().text(Doc::Config(0), |text| {
                let at = text.iter().position(|byte| *byte == b'#').unwrap();
                text[at] = 0xff;
            }),
        ),
        case("json.syntax", config("{", "{,")),
        case("json.trailing-data", oci().text(Doc::Index, |text| text.extend(b"{}"))),
        case(
            "json.depth",
            oci().text(Doc::Config(0), move |text| {
                *text = String::from_utf8_lossy(text).replacen('{', &format!("{{\"x\":{nested},"), 1).into();
            }),
        ),
        case("json.duplicate-key", config("{", "{\"os\":\"linux\",")),
        case("json.case-fold-key", config("{", "{\"OS\":\"plan9\",")),
        case("json.key-case", config("\"rootfs\"", "\"RootFS\"")),
        case("json.lone-surrogate", config("LAB=1", "LAB=\\ud800")),
    ]
}

fn set(pointer: &'static str, value: Value) -> impl Fn(&mut Value) + 'static {
    move |document| *document.pointer_mut(pointer).unwrap() = value.clone()
}

fn remove(parent: &'static str, key: &'static str) -> impl Fn(&mut Value) + 'static {
    move |document| {
        document.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key);
    }
}

fn document_cases() -> Vec<Case> {
    let manifest = |edit: Box<dyn Fn(&mut Value)>| oci().json(Doc::Manifest(0), edit);
    let two = || oci().image(Image::new(vec![Layer::new(&[file()])]).name("example.com/lab/good:2"));
    vec![
        case("document.no-index", oci().missing(Doc::Index)),
        case("document.no-layout-file", oci().missing(Doc::OciLayout)),
        case(
            "document.layout-version",
            oci().json(Doc::OciLayout, set("/imageLayoutVersion", json!("2.0.0"))),
        ),
        case("document.field-missing", manifest(Box::new(remove("", "layers")))),
        case("document.field-type", manifest(Box::new(set("/layers", json!({}))))),
        case("document.time", oci().json(Doc::Config(0), set("/created", json!("1970-01-01")))),
        case("config.command-string", oci().json(Doc::Config(0), |c| c["config"]["Cmd"] = json!("sh"))),
        case(
            "document.reference",
            good()
                .layout(Layout::Docker)
                .json(Doc::DockerManifest, set("/0/RepoTags", json!(["example.com/x"]))),
        ),
        case("document.schema-version", manifest(Box::new(set("/schemaVersion", json!(1))))),
        case(
            "document.media-type",
            oci().json(
                Doc::Index,
                set("/manifests/0/mediaType", json!("application/vnd.oci.image.index.v1+json")),
            ),
        ),
        case(
            "document.media-type-differs",
            manifest(Box::new(set(
                "/mediaType",
                json!("application/vnd.docker.distribution.manifest.v2+json"),
            ))),
        ),
        case("config.unreadable", oci().text(Doc::Config(0), |text| *text = b"[]".to_vec())),
        case("config.media-type", manifest(Box::new(set("/config/mediaType", json!("application/x"))))),
        case(
            "document.unknown-media-type",
            oci().json(Doc::Index, set("/manifests/0/mediaType", json!("application/octet-stream"))),
        ),
        case("document.manifest-and-index", manifest(Box::new(|m| m["manifests"] = json!([])))),
        case(
            "document.index-cycle",
            oci()
                .nested(1)
                .json(Doc::NestedIndex(0), |index| {
                    let own = format!("sha256:{}", "a".repeat(64));
                    index["manifests"][0]["digest"] = json!(own);
                    index["manifests"][0]["mediaType"] = json!("application/vnd.oci.image.index.v1+json");
                })
                .outer(|outer| {
                    outer.member(Doc::NestedIndex(0)).name =
                        format!("blobs/sha256/{}", "a".repeat(64)).into();
                })
                .json(Doc::Index, |index| {
                    index["manifests"][0]["digest"] = json!(format!("sha256:{}", "a".repeat(64)));
                }),
        ),
        case("document.index-depth", oci().nested(17)),
        case(
            "document.many-names",
            oci()
                .nested(1)
                .json(Doc::NestedIndex(0), |index| {
                    index["manifests"] = vec![index["manifests"][0].clone(); 10].into();
                })
                .json(Doc::Index, |index| {
                    index["manifests"][0]["annotations"] =
                        json!({"org.opencontainers.image.ref.name": "a".repeat(4 << 20)});
                }),
        ),
        case("document.no-images", oci().json(Doc::Index, set("/manifests", json!([])))),
        case("document.no-complete-image", oci().missing(Doc::Manifest(0))),
        case("blob.missing", oci().missing(Doc::Layer(0, 0))),
        case("blob.platform-absent", two().nested(1).missing(Doc::Manifest(1))),
        case(
            "blob.foreign-absent",
            manifest(Box::new(set(
                "/layers/0/mediaType",
                json!("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"),
            )))
            .missing(Doc::Layer(0, 0)),
        ),
        case(
            "blob.digest-syntax",
            manifest(Box::new(set("/layers/0/digest", json!("sha256:../../index.json")))),
        ),
        case("blob.size-syntax", manifest(Box::new(set("/layers/0/size", json!(-1))))),
        case("blob.media-type", manifest(Box::new(remove("/layers/0", "mediaType")))),
        case(
            "blob.broken-link",
            oci().outer(|outer| {
                let layer = outer.member(Doc::Layer(0, 0));
                *layer = Member::symlink(&layer.name, "/etc/passwd");
            }),
        ),
        case(
            "blob.not-a-file",
            oci().outer(|outer| {
                let layer = outer.member(Doc::Layer(0, 0));
                *layer = Member::of_kind(b'6', &layer.name, []);
            }),
        ),
        case(
            "blob.is-link",
            oci().outer(|outer| {
                let layer = outer.member(Doc::Layer(0, 0));
                let (name, data) = (layer.name.clone(), layer.data.clone());
                *layer = Member::symlink(name, "../../layer");
                outer.members.push(Member::file("layer", data));
            }),
        ),
        case("blob.embedded-data", manifest(Box::new(|m| m["config"]["data"] = json!("e30=")))),
    ]
}

fn own_cases() -> Vec<Case> {
    let other = || Image::new(vec![Layer::new(&[file()])]).name("example.com/lab/good:2");
    let config = |edit: Box<dyn Fn(&mut Value)>| oci().json(Doc::Config(0), edit);
    let repeated = vec![Layer::new(&[file()]); 2];
    let deep = (0..128).map(|i| Layer::new(&[Member::file(format!("{i}"), "")])).collect();
    let encrypted = "application/vnd.oci.image.layer.v1.tar+gzip+encrypted";
    let opaque = Layer::of_tar((0..2000_u32).map(|i| ((i * i) >> 3) as u8).collect(), Packing::Plain);
    let gone = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    vec![
        case(
            "document.split-view",
            good().image(other()).json(Doc::DockerManifest, |listed| {
                let layers = listed[1]["Layers"].clone();
                listed[0]["Layers"] = layers;
            }),
        ),
        case(
            "document.split-names",
            good().json(Doc::DockerManifest, set("/0/RepoTags", json!(["example.com/lab/evil:1"]))),
        ),
        case("document.same-name", oci().image(other().name("example.com/lab/good:1"))),
        case("blob.digest", oci().stored(Doc::Layer(0, 0), |bytes| bytes[30] ^= 1)),
        case("blob.size", oci().json(Doc::Manifest(0), set("/layers/0/size", json!(7)))),
        case(
            "blob.unreferenced",
            oci().outer(|outer| {
                let name = "blobs/sha256/6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
                outer.members.push(Member::file(name, [0]));
            }),
        ),
        case(
            "blob.unreferenced-digest",
            oci().outer(move |outer| {
                outer.members.push(Member::file(format!("blobs/{}", gone.replace(':', "/")), "x"));
            }),
        ),
        case("config.rootfs-type", config(Box::new(set("/rootfs/type", json!("blocks"))))),
        case("config.diff-id-count", config(Box::new(move |c| c["rootfs"]["diff_ids"] = json!([gone])))),
        case("config.diff-id", config(Box::new(set("/rootfs/diff_ids/1", json!(gone))))),
        case("config.history-count", config(Box::new(|c| c["history"][0]["empty_layer"] = json!(true)))),
        case("config.platform", config(Box::new(set("/architecture", json!("arm64"))))),
        asked(
            "config.newer-than-epoch",
            config(Box::new(set("/created", json!("1970-01-01T00:00:02Z")))),
            |o| {
                o.source_date_epoch = Some(1);
            },
        ),
        case(
            "layer.media-type",
            oci().layers(vec![
                Layer::new(&[file()]).pack(Packing::Zstd).media_type(Packing::Gzip.media_type()),
            ]),
        ),
        case(
            "layer.unknown-media-type",
            oci().layers(vec![Layer::new(&[file()]).media_type("application/x")]),
        ),
        case("layer.not-inspected", oci().layers(vec![opaque.media_type(encrypted)])),
        case("layer.decode", oci().layers(vec![Layer::new(&[file()]).blob(|blob| blob.truncate(40))])),
        limited("layer.unpacked-limit", oci(), |limits| limits.max_unpacked = 1000),
        case(
            "layer.trailing-zeros",
            oci().layers(vec![Layer::new(&[file()]).blob(|blob| blob.extend([0; 512]))]),
        ),
        case("layer.ratio", of_members(&[Member::file("zeros", vec![0; 1 << 20])])),
        case("layer.depth", oci().layers(deep)),
        case("layer.repeated", oci().layers(repeated)),
        asked(
            "document.newer-than-epoch",
            oci().json(
                Doc::Index,
                set(
                    "/manifests/0/annotations",
                    json!({"org.opencontainers.image.created": "1970-01-01T00:00:02Z"}),
                ),
            ),
            |options| options.source_date_epoch = Some(1),
        ),
        asked("layer.newer-than-epoch", of_members(&[file().mtime(2)]), |options| {
            options.source_date_epoch = Some(1);
        }),
        asked("content.forbidden", of_members(&[Member::file("srv/key.pem", "")]), |options| {
            options.content.forbidden = vec![Pattern::new("*.pem").unwrap()];
        }),
        asked("content.layer-size", oci(), |options| options.content.max_stored = Some(100)),
        asked("content.layer-count", oci(), |options| options.content.max_layers = Some(1)),
        asked("expect.digest", oci(), |options| options.expect = vec![Digest::parse(gone).unwrap()]),
        asked("expect.archive", oci(), |options| options.expect_archive = Some(Digest::parse(gone).unwrap())),
        asked("expect.platform", oci(), |options| {
            options.require = vec![Platform::parse("linux/arm64").unwrap()]
        }),
    ]
}

fn cases() -> Vec<Case> {
    let groups = [archive_cases(), document_cases(), json_cases(), own_cases(), member_cases()];
    groups.into_iter().flatten().collect()
}

const HEAD: &str = "\
# Checks

What `verify`, `analyze` and every command that reads images look for. An **error** fails an image, a **warning** is
something odd that a person should look at, a **note** is worth knowing and normal. `--only`, `--skip` and `--deny` take
the ids, or patterns such as `blob.*`. Ids are never renamed and never used again.

Each check stands here with why it matters and with a finding of it, on an image that the tests build for that.

This file is generated: `REPRO_BLESS=1 cargo test --test it checks_table` writes it anew.
";

#[test]
fn every_check_finds_its_image_and_the_documentation_says_so() {
    let (mut text, mut area, mut wrong) = (HEAD.to_owned(), "", Vec::new());
    let cases = cases();
    let known: BTreeSet<&str> = checks().iter().map(|check| check.id).collect();
    wrong.extend(
        cases.iter().filter(|case| !known.contains(case.id)).map(|case| format!("{}: no check", case.id)),
    );
    assert_eq!(known.len(), checks().len(), "an id stands twice");
    let mut sorted: Vec<_> = checks().iter().collect();
    sorted.sort_by_key(|check| check.id.split('.').next());
    for check in sorted {
        let Some(case) = cases.iter().find(|case| case.id == check.id) else {
            wrong.push(format!("{}: no image", check.id));
            continue;
        };
        let verdict = judge_with(case.archive.clone(), &case.request);
        let found = verdict.as_ref().ok().and_then(|v| v.findings.iter().find(|f| f.check == check.id));
        let Some(finding) = found else {
            wrong.push(format!("{}: not found in its image{}", check.id, told(&verdict)));
            continue;
        };
        assert_eq!(finding.grade, check.grade);
        let this = check.id.split('.').next().unwrap();
        if this != area {
            area = this;
            write!(text, "\n## {area}\n").unwrap();
        }
        let grade = check.grade.name();
        let (title, why) = (check.title, check.why);
        write!(text, "\n### {}\n\n**{grade}**: {title}. Why: {why}.\n\n    {finding}\n", check.id).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/checks.md");
    if std::env::var_os("REPRO_BLESS").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "docs/checks.md is stale: run REPRO_BLESS=1 cargo test --test it checks_table");
}

#[test]
fn a_good_image_has_no_findings() {
    for layout in Layout::ALL {
        let verdict = judge_with(good().layout(layout).tar(), &Request::default());
        assert!(
            verdict.as_ref().is_ok_and(|v| v.count(Grade::Note) == v.findings.len()),
            "{}",
            told(&verdict)
        );
        assert!(verdict.as_ref().is_ok_and(|v| v.findings.is_empty()), "{layout:?}{}", told(&verdict));
    }
}
