//! Images with one thing wrong or odd, and how each must fare. The rule: what Go's readers refuse, or what readers take
//! for different images, is refused; what a real tool writes, however odd, is not.

use repro_build::digest::Digest;
use repro_build::grade::Grade;
use repro_build::inspect::Request;
use repro_build::ladder::Rung;
use repro_build::verify::{Options, Status, Verdict};
use serde_json::{Value, json};

use crate::judge::{
    Fared::{self, Clean, Refused, Warned},
    judge, judge_with, rungs, told,
};
use crate::support::{Doc, Image, ImageBuilder, Layer, Layout, Member, Packing, digest, tar};

type Row = (&'static str, Fared, ImageBuilder);

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn good() -> ImageBuilder {
    ImageBuilder::good()
}

fn oci() -> ImageBuilder {
    good().layout(Layout::Oci)
}

fn one_file() -> Layer {
    Layer::new(&[Member::file("a", "one\n")])
}

fn other() -> Image {
    Image::new(vec![one_file()]).name("example.com/lab/other:1")
}

fn set(pointer: &'static str, value: Value) -> impl Fn(&mut Value) + 'static {
    move |document| *document.pointer_mut(pointer).unwrap() = value.clone()
}

fn without(parent: &'static str, key: &'static str) -> impl Fn(&mut Value) + 'static {
    move |document| {
        document.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key);
    }
}

const ALIEN: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.example+json","layers":1}"#;

/// The index lists this too, as something that no spec knows.
fn listed(content: &'static str) -> ImageBuilder {
    let digest = digest("sha256", content.as_bytes());
    let path = format!("blobs/{}", digest.replace(':', "/"));
    let size = content.len();
    oci()
        .json(Doc::Index, move |index| {
            let entry = json!({"mediaType": "application/vnd.example+json", "digest": digest, "size": size});
            index["manifests"].as_array_mut().unwrap().push(entry);
        })
        .outer(move |outer| outer.members.push(Member::file(path.clone(), content)))
}

fn octets() -> ImageBuilder {
    oci()
        .json(Doc::Manifest(0), without("", "mediaType"))
        .json(Doc::Index, set("/manifests/0/mediaType", json!("application/octet-stream")))
}

fn archives() -> Vec<Row> {
    let extra = |member: Member| good().outer(move |outer| outer.members.push(member.clone()));
    let first = |member: Member| good().outer(move |outer| outer.members.insert(0, member.clone()));
    let twin_first = |doc: Doc| {
        good().outer(move |outer| {
            let mut twin = outer.member(doc).clone();
            let last = twin.data.len() - 1;
            twin.data[last] ^= 1;
            outer.members.insert(0, twin);
        })
    };
    let twin_last = |doc: Doc| {
        good().outer(move |outer| {
            let mut twin = outer.member(doc).clone();
            let last = twin.data.len() - 1;
            twin.data[last] ^= 1;
            outer.members.push(twin);
        })
    };
    vec![
        ("a layer twice, the good one last", Refused, twin_first(Doc::Layer(0, 0))),
        ("a layer twice, the good one first", Refused, twin_last(Doc::Layer(0, 0))),
        ("index.json twice, the good one first", Refused, twin_last(Doc::Index)),
        ("manifest.json twice, the good one first", Refused, twin_last(Doc::DockerManifest)),
        (
            "a config twice, under ./",
            Refused,
            good().outer(|outer| {
                let mut twin = outer.member(Doc::Config(0)).clone();
                twin.name = [b"./", twin.name.as_slice()].concat();
                twin.data[5] ^= 1;
                outer.members.push(twin);
            }),
        ),
        (
            "a layer is also a directory",
            Refused,
            good().outer(|outer| {
                let name = outer.member(Doc::Layer(0, 0)).name.clone();
                outer.members.push(Member::dir([name.as_slice(), b"/"].concat()));
            }),
        ),
        ("an absolute name", Refused, extra(Member::file("/etc/evil", ""))),
        ("only ..", Refused, extra(Member::dir("../"))),
        ("a name with .. that stays inside", Refused, extra(Member::file("blobs/../x", ""))),
        ("a name with a newline", Warned, extra(Member::file("a\nb", ""))),
        ("a name with an escape sequence", Warned, extra(Member::file("\x1b[2J", ""))),
        ("a name that is no UTF-8", Clean, extra(Member::file(b"caf\xe9", ""))),
        ("the folder . itself", Clean, first(Member::dir("./"))),
        ("a FIFO", Warned, extra(Member::of_kind(b'6', "fifo", []))),
        ("a hard link outside", Refused, extra(Member::hardlink("l", "../../etc/passwd"))),
        ("a symbolic link to nothing", Clean, extra(Member::symlink("l", "nothing"))),
        ("a link to itself", Refused, extra(Member::symlink("l", "l"))),
        (
            "all names with ./",
            Clean,
            good().outer(|outer| {
                for member in &mut outer.members {
                    member.name = [b"./", member.name.as_slice()].concat();
                }
            }),
        ),
        (
            "index.json last",
            Clean,
            good().outer(|outer| {
                let at = outer.position(Doc::Index);
                let index = outer.members.remove(at);
                outer.members.push(index);
            }),
        ),
        ("no folders", Clean, good().outer(|outer| outer.members.retain(|member| member.kind != b'5'))),
        (
            "a layer behind a symbolic folder",
            Refused,
            oci().outer(|outer| {
                for member in &mut outer.members {
                    if let Some(rest) = member.name.strip_prefix(b"blobs/") {
                        member.name = [b"elsewhere/", rest].concat();
                    }
                }
                outer.members.insert(0, Member::symlink("blobs", "elsewhere"));
            }),
        ),
        (
            "index.json is a link to another file",
            Clean,
            oci().outer(|outer| {
                let index = outer.member(Doc::Index);
                let data = index.data.clone();
                *index = Member::symlink("index.json", "real.json");
                outer.members.push(Member::file("real.json", data));
            }),
        ),
        ("cut in half", Refused, good().bytes(|bytes| bytes.truncate(bytes.len() / 2))),
        ("cut inside the end marker", Warned, good().bytes(|bytes| bytes.truncate(bytes.len() - 512))),
        (
            "a second archive behind the first",
            Refused,
            good().bytes(|bytes| {
                let more = tar(&[Member::file("index.json", "{}")]);
                bytes.extend(more);
            }),
        ),
        ("zeros behind the end", Clean, good().bytes(|bytes| bytes.extend([0; 8192]))),
        (
            "gzip around gzip",
            Refused,
            good().bytes(|bytes| *bytes = Packing::Gzip.pack(&Packing::Gzip.pack(bytes))),
        ),
        (
            "gzip cut off",
            Refused,
            good().bytes(|bytes| {
                *bytes = Packing::Gzip.pack(bytes);
                bytes.truncate(bytes.len() / 2);
            }),
        ),
        (
            "zstd with a changed byte",
            Refused,
            good().bytes(|bytes| {
                *bytes = Packing::Zstd.pack(bytes);
                let middle = bytes.len() / 2;
                bytes[middle] ^= 0x10;
            }),
        ),
    ]
}

fn documents() -> Vec<Row> {
    let manifest = |edit: Box<dyn Fn(&mut Value)>| oci().json(Doc::Manifest(0), edit);
    let index = |edit: Box<dyn Fn(&mut Value)>| oci().json(Doc::Index, edit);
    let size = |value: Value| manifest(Box::new(set("/layers/0/size", value)));
    let named = |value: &'static str| manifest(Box::new(set("/layers/0/digest", json!(value))));
    let text = |doc: Doc, from: &'static str, to: &'static str| oci().replace(doc, from, to);
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    vec![
        ("config cut", Refused, oci().stored(Doc::Config(0), |bytes| bytes.truncate(20))),
        ("config is an array", Refused, oci().text(Doc::Config(0), |bytes| *bytes = b"[]".to_vec())),
        ("config is empty", Refused, oci().text(Doc::Config(0), Vec::clear)),
        ("manifest is null", Refused, oci().text(Doc::Manifest(0), |bytes| *bytes = b"null".to_vec())),
        ("manifest is {}", Refused, oci().text(Doc::Manifest(0), |bytes| *bytes = b"{}".to_vec())),
        ("index.json is {}", Refused, oci().text(Doc::Index, |bytes| *bytes = b"{}".to_vec())),
        ("index.json is []", Refused, oci().text(Doc::Index, |bytes| *bytes = b"[]".to_vec())),
        ("index.json is empty", Refused, oci().text(Doc::Index, Vec::clear)),
        (
            "index.json in UTF-16",
            Refused,
            oci().text(Doc::Index, |bytes| {
                let utf16: Vec<u16> = String::from_utf8_lossy(bytes).encode_utf16().collect();
                *bytes = [0xfeff].into_iter().chain(utf16).flat_map(u16::to_le_bytes).collect();
            }),
        ),
        (
            "config in UTF-16 without mark",
            Refused,
            oci().text(Doc::Config(0), |bytes| {
                *bytes = String::from_utf8_lossy(bytes).encode_utf16().flat_map(u16::to_be_bytes).collect();
            }),
        ),
        ("white space behind index.json", Clean, oci().text(Doc::Index, |bytes| bytes.extend(b" \n\t\r"))),
        ("a NUL behind index.json", Refused, oci().text(Doc::Index, |bytes| bytes.push(0))),
        ("a comment", Refused, text(Doc::Manifest(0), "{", "{/* x */")),
        ("a trailing comma", Refused, text(Doc::Manifest(0), "}", ",}")),
        ("NaN", Refused, text(Doc::Config(0), "{", "{\"x\":NaN,")),
        ("single quotes", Refused, text(Doc::Config(0), "{", "{'x':1,")),
        (
            "10 000 arrays in config",
            Refused,
            oci().text(Doc::Config(0), {
                let deep = deep.clone();
                move |text| {
                    *text = String::from_utf8_lossy(text).replacen('{', &format!("{{\"x\":{deep},"), 1).into()
                }
            }),
        ),
        (
            "10 000 arrays in manifest",
            Refused,
            oci().text(Doc::Manifest(0), move |text| {
                *text = String::from_utf8_lossy(text).replacen('{', &format!("{{\"x\":{deep},"), 1).into();
            }),
        ),
        ("an unknown key", Clean, text(Doc::Manifest(0), "{", "{\"x\":1,")),
        (
            "an annotation that is no string",
            Refused,
            manifest(Box::new(|m| m["layers"][0]["annotations"] = json!({"a": 1}))),
        ),
        ("a key twice, nested", Refused, text(Doc::Config(0), "\"type\"", "\"type\":\"blocks\",\"type\"")),
        ("diff_ids under a folded key", Refused, text(Doc::Config(0), "\"diff_ids\"", "\"diff_id\u{17f}\"")),
        ("size with an exponent", Refused, text(Doc::Manifest(0), "\"size\":", "\"size\":1e3,\"x\":")),
        ("size with a fraction", Refused, size(json!(1.5))),
        ("size as a string", Refused, size(json!("100"))),
        ("size 2^63", Refused, size(json!(1_u64 << 63))),
        ("size 0", Refused, size(json!(0))),
        ("size null", Refused, size(Value::Null)),
        ("manifest's size wrong", Refused, index(Box::new(set("/manifests/0/size", json!(1))))),
        (
            "digest upper case",
            Refused,
            named("sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"),
        ),
        (
            "digest with an upper-case algorithm",
            Refused,
            named("SHA256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ),
        (
            "digest with a space",
            Refused,
            named(" sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ),
        (
            "digest too long",
            Refused,
            named("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85500"),
        ),
        (
            "digest with a slash",
            Refused,
            named("sha256/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ),
        ("digest empty", Refused, named("")),
        ("digest null", Refused, manifest(Box::new(set("/layers/0/digest", Value::Null)))),
        ("digest a number", Refused, manifest(Box::new(set("/layers/0/digest", json!(5))))),
        (
            "sha512 of sha256's length",
            Refused,
            named("sha512:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ),
        ("sha1", Refused, named("sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709")),
        ("all digests sha512", Clean, oci().map(|image| image.algorithm("sha512"))),
        ("all digests sha384", Clean, oci().map(|image| image.algorithm("sha384"))),
        (
            "a flipped layer under sha512",
            Refused,
            oci().map(|image| image.algorithm("sha512")).stored(Doc::Layer(0, 0), |b| b[40] ^= 1),
        ),
        (
            "a diff_id that is no digest",
            Refused,
            oci().json(Doc::Config(0), set("/rootfs/diff_ids/0", json!("x"))),
        ),
        ("a diff_id null", Refused, oci().json(Doc::Config(0), set("/rootfs/diff_ids/0", Value::Null))),
        (
            "one diff_id more",
            Refused,
            oci().json(Doc::Config(0), |c| {
                let first = c["rootfs"]["diff_ids"][0].clone();
                c["rootfs"]["diff_ids"].as_array_mut().unwrap().push(first);
            }),
        ),
        ("diff_ids missing", Refused, oci().json(Doc::Config(0), without("/rootfs", "diff_ids"))),
        ("rootfs missing", Refused, oci().json(Doc::Config(0), without("", "rootfs"))),
        ("history missing", Clean, oci().json(Doc::Config(0), without("", "history"))),
        ("history null", Clean, oci().json(Doc::Config(0), set("/history", Value::Null))),
        ("os missing", Warned, oci().json(Doc::Config(0), without("", "os"))),
        ("created is a number", Refused, oci().json(Doc::Config(0), set("/created", json!(0)))),
        ("config null", Refused, manifest(Box::new(set("/config", Value::Null)))),
        ("config missing from the manifest", Refused, manifest(Box::new(without("", "config")))),
        ("layers null", Refused, manifest(Box::new(set("/layers", Value::Null)))),
        ("a layer null", Refused, manifest(Box::new(set("/layers/0", Value::Null)))),
        ("no layers at all", Clean, oci().layers(vec![])),
        ("schemaVersion missing", Refused, manifest(Box::new(without("", "schemaVersion")))),
        ("schemaVersion a string", Refused, index(Box::new(set("/schemaVersion", json!("2"))))),
        ("mediaType missing in the manifest", Clean, manifest(Box::new(without("", "mediaType")))),
        ("mediaType missing in index.json", Clean, index(Box::new(without("", "mediaType")))),
        ("index.json says it is a manifest", Refused, index(Box::new(set("/mediaType", json!(MANIFEST))))),
        (
            "a manifest that is called an index",
            Refused,
            index(Box::new(set("/manifests/0/mediaType", json!(INDEX)))),
        ),
        ("index.json says it is text", Refused, index(Box::new(set("/mediaType", json!("text/plain"))))),
        (
            "index.json's subject has another size",
            Refused,
            index(Box::new(|i| {
                i["subject"] = i["manifests"][0].clone();
                i["subject"]["size"] = json!(7);
            })),
        ),
        // skopeo refuses it; a reader that looks at the content runs it.
        ("a manifest without mediaType that is called octets", Warned, octets()),
        (
            "a flipped layer below a manifest that is called octets",
            Refused,
            octets().stored(Doc::Layer(0, 0), |bytes| bytes[40] ^= 1),
        ),
        ("a cache of BuildKit's", Clean, listed(r#"{"layers":[{"blob":"sha256:x"}],"records":[]}"#)),
        ("a JSON document that is none of ours", Clean, listed(r#"{"a":1,"a":2,"config":{}}"#)),
        ("a JSON document that says it is none of ours", Clean, listed(ALIEN)),
        ("oci-layout is {}", Refused, oci().text(Doc::OciLayout, |bytes| *bytes = b"{}".to_vec())),
        ("oci-layout is no JSON", Refused, oci().text(Doc::OciLayout, |bytes| *bytes = b"1.0.0".to_vec())),
        (
            "oci-layout is a directory",
            Refused,
            oci().outer(|outer| *outer.member(Doc::OciLayout) = Member::dir("oci-layout")),
        ),
        ("16 nested indexes", Clean, oci().nested(16)),
        (
            "the config is the manifest",
            Refused,
            oci().json(Doc::Manifest(0), |m| m["config"] = m["layers"][0].clone()),
        ),
        (
            "an image's config twice as two kinds",
            Refused,
            oci().image(other()).json(Doc::Index, |i| {
                i["manifests"][1]["mediaType"] = json!("application/vnd.oci.image.config.v1+json");
            }),
        ),
        (
            "embedded data that is right",
            Clean,
            manifest(Box::new(|m| {
                m["subject"] = json!({"mediaType": "application/x", "digest": digest("sha256", b"{}"), "size": 2, "data": "e30="});
            })),
        ),
        (
            "embedded data that is no base64",
            Refused,
            manifest(Box::new(|m| m["config"]["data"] = json!("%"))),
        ),
    ]
}

fn views() -> Vec<Row> {
    let listed = |edit: Box<dyn Fn(&mut Value)>| good().json(Doc::DockerManifest, edit);
    let docker =
        |edit: Box<dyn Fn(&mut Value)>| good().layout(Layout::Docker).json(Doc::DockerManifest, edit);
    let sources = |edit: Box<dyn Fn(&mut Value)>| {
        let layer = one_file();
        let (blob, id) = (Packing::Gzip.pack(&tar(&[Member::file("a", "one\n")])), "x");
        let (size, media_type) = (blob.len(), Packing::Gzip.media_type());
        good().layers(vec![layer]).json(Doc::DockerManifest, move |listed| {
            let descriptor =
                json!({"mediaType": media_type, "digest": digest("sha256", &blob), "size": size});
            let mut sources = json!({ id: descriptor });
            edit(&mut sources);
            listed[0]["LayerSources"] = sources;
        })
    };
    let named = |folder: &'static str, byte: &'static str| {
        let name = format!("{folder}{}", byte.repeat(64));
        let given = json!(name);
        docker(Box::new(move |listed| listed[0]["Config"] = given.clone()))
            .outer(move |outer| outer.member(Doc::Config(0)).name = name.clone().into())
    };
    vec![
        (
            "the views list layers in another order",
            Refused,
            listed(Box::new(|d| d[0]["Layers"].as_array_mut().unwrap().reverse())),
        ),
        (
            "manifest.json lacks a layer",
            Refused,
            listed(Box::new(|d| {
                d[0]["Layers"].as_array_mut().unwrap().pop();
            })),
        ),
        (
            "manifest.json lists a layer more",
            Refused,
            listed(Box::new(|d| {
                let first = d[0]["Layers"][0].clone();
                d[0]["Layers"].as_array_mut().unwrap().push(first);
            })),
        ),
        ("manifest.json is empty", Refused, listed(Box::new(|d| *d = json!([])))),
        ("manifest.json's LayerSources are right", Clean, sources(Box::new(|_| ()))),
        (
            "manifest.json's LayerSources are a list",
            Refused,
            sources(Box::new(|sources| *sources = json!([]))),
        ),
        (
            "manifest.json's LayerSources have another size",
            Refused,
            sources(Box::new(|sources| sources["x"]["size"] = json!(1))),
        ),
        (
            "manifest.json's LayerSources name what is not here",
            Refused,
            sources(Box::new(|sources| sources["x"]["digest"] = json!(digest("sha256", b"gone")))),
        ),
        ("manifest.json is an object", Refused, listed(Box::new(|d| *d = d[0].clone()))),
        (
            "the views swap names",
            Refused,
            good().image(other()).json(Doc::DockerManifest, |d| {
                let names = d[0]["RepoTags"].clone();
                d[0]["RepoTags"] = d[1]["RepoTags"].clone();
                d[1]["RepoTags"] = names;
            }),
        ),
        ("manifest.json has no tags", Clean, listed(Box::new(set("/0/RepoTags", Value::Null)))),
        (
            "manifest.json is its own config",
            Refused,
            docker(Box::new(set("/0/Config", json!("manifest.json")))),
        ),
        ("manifest.json's config is missing", Refused, docker(Box::new(set("/0/Config", json!("x.json"))))),
        (
            "manifest.json's layer climbs out",
            Refused,
            docker(Box::new(set("/0/Layers/0", json!("../../etc/passwd")))),
        ),
        (
            "manifest.json's layer is absolute",
            Refused,
            docker(Box::new(set("/0/Layers/0", json!("/etc/passwd")))),
        ),
        ("manifest.json's layer is a number", Refused, docker(Box::new(set("/0/Layers/0", json!(1))))),
        (
            "manifest.json's Layers under a folded key",
            Refused,
            good().layout(Layout::Docker).replace(Doc::DockerManifest, "Layers", "layers"),
        ),
        (
            "a flipped layer in a docker-archive",
            Refused,
            good().layout(Layout::Docker).stored(Doc::Layer(0, 0), |b| b[600] ^= 1),
        ),
        (
            "a flipped config in a docker-archive",
            Refused,
            good()
                .layout(Layout::Legacy)
                .replace(Doc::Config(0), "LAB=1", "LAB=3")
                .stored(Doc::Config(0), |b| b[10] ^= 1),
        ),
        (
            "a config that is not what it is named after, as go-containerregistry names it",
            Refused,
            named("sha256:", "b"),
        ),
        ("a config that is not what it is named after, in blobs", Refused, named("blobs/sha512/", "bb")),
        (
            "an index of two platforms, one manifest absent",
            Clean,
            oci().image(other().platform("linux/arm64")).nested(1).missing(Doc::Manifest(1)),
        ),
        // containerd imports neither: an image that index.json names is gone.
        (
            "two images, one manifest absent",
            Refused,
            oci().image(other().platform("linux/arm64")).missing(Doc::Manifest(1)),
        ),
        (
            "an index of an image and its attestation, the image absent",
            Refused,
            oci().image(Image::attestation(0)).nested(1).missing(Doc::Manifest(0)),
        ),
        (
            "two platforms, one config absent",
            Refused,
            oci().image(other().platform("linux/arm64")).missing(Doc::Config(1)),
        ),
        (
            "two platforms, one layer absent",
            Refused,
            oci().image(other().platform("linux/arm64")).missing(Doc::Layer(1, 0)),
        ),
        ("an attestation beside the image", Clean, oci().image(Image::attestation(0))),
        (
            "a flipped attestation",
            Refused,
            oci().image(Image::attestation(0)).stored(Doc::Layer(1, 0), |b| b[5] ^= 1),
        ),
        (
            "a false diff_id in an image whose platform is unknown",
            Refused,
            of_another_content().json(Doc::Index, set("/manifests/0/platform", unknown_platform())),
        ),
        (
            "a false diff_id in an image that is called an attestation",
            Refused,
            of_another_content().json(
                Doc::Index,
                set("/manifests/0/annotations", json!({"vnd.docker.reference.type": "attestation-manifest"})),
            ),
        ),
        (
            "a false diff_id in an image that is listed as an attestation first",
            Refused,
            of_another_content().json(Doc::Index, |index| {
                let mut first = index["manifests"][0].clone();
                first["platform"] = unknown_platform();
                index["manifests"].as_array_mut().unwrap().insert(0, first);
            }),
        ),
    ]
}

/// An image in which everything is as its digest says but the one layer's content, which has another diff_id.
fn of_another_content() -> ImageBuilder {
    oci().layers(vec![one_file()]).json(Doc::Config(0), |config| {
        config["rootfs"]["diff_ids"][0] = format!("sha256:{}", "a".repeat(64)).into();
    })
}

/// What BuildKit gives to attestations.
fn unknown_platform() -> Value {
    json!({"os": "unknown", "architecture": "unknown"})
}

/// An image's configuration over a layer that is JSON.
fn signature() -> Image {
    let payload = Layer::of_tar(br#"{"critical":{},"optional":null}"#.to_vec(), Packing::Plain);
    Image::new(vec![payload.media_type("application/vnd.dev.cosign.simplesigning.v1+json")])
}

fn layers() -> Vec<Row> {
    let of = |layer: Layer| oci().layers(vec![layer]);
    let gzip = |edit: fn(&mut Vec<u8>)| of(one_file().blob(edit));
    let typed = |packing: Packing, says: Packing| of(one_file().pack(packing).media_type(says.media_type()));
    let foreign = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    let plain = |tar: Vec<u8>| of(Layer::of_tar(tar, Packing::Plain));
    vec![
        ("gzip called plain", Warned, typed(Packing::Gzip, Packing::Plain)),
        ("zstd called gzip", Warned, typed(Packing::Zstd, Packing::Gzip)),
        ("plain called zstd", Warned, typed(Packing::Plain, Packing::Zstd)),
        ("garbage behind gzip", Refused, gzip(|blob| blob.extend(b"garbage"))),
        ("gzip without its trailer", Refused, gzip(|blob| blob.truncate(blob.len() - 8))),
        (
            "gzip with a wrong length",
            Refused,
            gzip(|blob| {
                let last = blob.len() - 1;
                blob[last] ^= 1;
            }),
        ),
        ("an empty gzip member behind", Clean, gzip(|blob| blob.extend(Packing::Gzip.pack(b"")))),
        ("an empty blob", Refused, gzip(Vec::clear)),
        ("an empty plain layer", Clean, plain(Vec::new())),
        ("a tar of nothing", Clean, plain(tar(&[]))),
        ("text for a layer", Refused, of(Layer::of_tar(b"no tar".to_vec(), Packing::Gzip))),
        ("a cut layer tar", Refused, plain(tar(&[Member::file("a", vec![b'x'; 2000])])[..1500].to_vec())),
        ("a foreign layer that is here", Clean, of(one_file().media_type(foreign))),
        (
            "a foreign layer that is changed",
            Refused,
            of(one_file().media_type(foreign)).stored(Doc::Layer(0, 0), |b| b[30] ^= 1),
        ),
        (
            "zstd frames and a skippable one",
            Clean,
            of({
                let frame = Packing::Zstd.pack(&tar(&[Member::file("a", "x")]));
                Layer::of_tar(tar(&[Member::file("a", "x")]), Packing::Zstd)
                    .blob(move |blob| *blob = [frame.as_slice(), b"\x5e\x2a\x4d\x18\x02\0\0\0ab"].concat())
            }),
        ),
        ("one layer three times", Clean, oci().layers(vec![one_file(), one_file(), one_file()])),
        ("a layer that is called a manifest", Warned, of(one_file().media_type(MANIFEST))),
        ("a layer of a type that nobody knows", Warned, of(one_file().media_type("application/x"))),
        (
            "a changed layer of a type that nobody knows",
            Refused,
            of(one_file().media_type("application/x")).json(Doc::Config(0), |config| {
                config["rootfs"]["diff_ids"][0] = json!(digest("sha256", b"other"));
            }),
        ),
        ("a signature as cosign saves it", Clean, oci().image(signature())),
        (
            "a changed signature",
            Refused,
            oci().image(signature()).stored(Doc::Layer(1, 0), |bytes| bytes[3] ^= 1),
        ),
        ("a device in a layer", Clean, of(Layer::new(&[Member::device(b'3', "null", 1, 3)]))),
    ]
}

#[test]
fn each_damage_fares_by_the_rule() {
    let mut wrong = Vec::new();
    let rows: Vec<Row> = [archives(), documents(), views(), layers()].into_iter().flatten().collect();
    for (what, wanted, image) in &rows {
        let verdict = judge(image.tar());
        let seen = Fared::of(&verdict);
        if seen != *wanted {
            wrong.push(format!("{what}: {wanted:?} wanted, {seen:?} seen{}", told(&verdict)));
        }
    }
    eprintln!("{} damaged images", rows.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Puts a value into an object of a document, new or in place of another.
fn put(doc: Doc, place: &'static str, value: Value) -> ImageBuilder {
    let (parent, key) = place.rsplit_once('/').unwrap();
    let edit = move |document: &mut Value| {
        document.pointer_mut(parent).unwrap()[key] = value.clone();
    };
    let layout = if doc == Doc::DockerManifest { Layout::Docker } else { Layout::Oci };
    good().layout(layout).json(doc, edit)
}

/// What Go's decoder says to each field of the structs of image-spec's specs-go/v1 and moby's container.Config: a wrong
/// type refuses the whole document. Keys are matched whatever their case.
#[test]
fn fields_are_what_the_structs_of_go_have() {
    let config = |place, fared, value: Value| (Doc::Config(0), place, fared, value);
    let manifest = |place, fared, value: Value| (Doc::Manifest(0), place, fared, value);
    let index = |place, fared, value: Value| (Doc::Index, place, fared, value);
    let docker = |place, fared, value: Value| (Doc::DockerManifest, place, fared, value);
    let rows = [
        config("/config", Refused, json!([])),
        config("/config/Env", Refused, json!("A=b")),
        config("/config/Env", Refused, json!([1])),
        config("/config/Env", Clean, json!(null)),
        config("/config/Cmd", Refused, json!([1])),
        config("/config/Cmd", Warned, json!("sh")),
        config("/config/Entrypoint", Warned, json!("sh")),
        config("/config/Shell", Refused, json!({})),
        config("/config/User", Refused, json!(5)),
        config("/config/WorkingDir", Refused, json!([])),
        config("/config/Labels", Refused, json!([])),
        config("/config/Labels", Refused, json!({"a": 1})),
        config("/config/Labels", Clean, json!({"a": "1", "A": "2"})),
        config("/config/Volumes", Refused, json!(["/x"])),
        config("/config/Volumes", Refused, json!({"/x": 1})),
        config("/config/Volumes", Clean, json!({"/x": {}})),
        config("/config/ExposedPorts", Refused, json!(["80"])),
        config("/config/ExposedPorts", Clean, json!({"80/tcp": {}})),
        config("/config/StopSignal", Refused, json!(9)),
        config("/config/StopTimeout", Refused, json!("x")),
        config("/config/StopTimeout", Clean, json!(-1)),
        config("/config/ArgsEscaped", Refused, json!("yes")),
        config("/config/Healthcheck", Refused, json!([])),
        config("/config/Healthcheck", Refused, json!({"Test": "x"})),
        config("/config/Healthcheck", Refused, json!({"test": ["NONE"]})),
        config("/config/Healthcheck", Clean, json!({"Test": ["NONE"], "Interval": 1})),
        config("/config/entrypoint", Refused, json!(["/evil"])),
        config("/config/volumes", Refused, json!({})),
        config("/config/Unknown", Clean, json!(1)),
        config("/OS.version", Refused, json!("1")),
        config("/os.features", Refused, json!("x")),
        config("/author", Refused, json!(1)),
        config("/created", Refused, json!("")),
        config("/created", Refused, json!("1970-01-01")),
        config("/created", Refused, json!("1970-01-01T00:00:00")),
        config("/created", Clean, json!("1970-01-01T01:00:00.5+01:00")),
        config("/created", Clean, json!(null)),
        config("/history", Refused, json!(["x"])),
        config("/history/0/author", Refused, json!(1)),
        config("/history/0/created", Refused, json!("1970-02-30T00:00:00Z")),
        manifest("/annotations", Refused, json!({"a": 1})),
        manifest("/annotations", Refused, json!([])),
        manifest("/layers/0/urls", Refused, json!("x")),
        manifest("/layers/0/urls", Refused, json!([1])),
        manifest("/layers/0/urls", Clean, json!(["https://example.com/x"])),
        manifest("/subject", Refused, json!("x")),
        index("/annotations", Refused, json!({"a": 1})),
        index("/subject", Refused, json!([])),
        index("/Subject", Refused, json!({})),
        index("/manifests/0/platform", Refused, json!("linux/amd64")),
        index("/manifests/0/platform/os.features", Refused, json!("x")),
        docker("/0/RepoTags", Warned, json!(["LAB/X:1"])),
        docker("/0/RepoTags", Warned, json!([""])),
        docker("/0/RepoTags", Refused, json!("lab/x:1")),
        docker("/0/RepoTags", Refused, json!([1])),
        docker("/0/Parent", Refused, json!(1)),
    ];
    let mut wrong = Vec::new();
    for (doc, place, wanted, value) in rows {
        let verdict = judge(put(doc, place, value.clone()).tar());
        let seen = Fared::of(&verdict);
        if seen != wanted {
            wrong.push(format!("{place} {value}: {wanted:?} wanted, {seen:?} seen{}", told(&verdict)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A time that cannot be read is not newer than anything.
#[test]
fn an_unreadable_time_is_no_newer_one() {
    let archive = put(Doc::Config(0), "/created", json!("1970-01-01")).tar();
    let verify = Options { source_date_epoch: Some(1 << 33), ..Options::default() };
    let verdict = judge_with(archive, &Request { verify, ..Request::default() }).unwrap();
    let errors: Vec<&str> =
        verdict.findings.iter().filter(|f| f.grade == Grade::Error).map(|f| f.check).collect();
    assert_eq!(errors, ["document.time"]);
}

/// What is encrypted, or packed as no container engine packs it, keeps its digest, and passes only where that is enough.
#[test]
fn a_layer_that_cannot_be_looked_into_passes_only_on_request() {
    let packed: Vec<u8> = b"\xfd7zXZ\0".iter().copied().chain(0..=255).collect();
    let opaque = |packed: &[u8], media_type: &str| {
        oci().layers(vec![Layer::of_tar(packed.to_vec(), Packing::Plain).media_type(media_type)])
    };
    let encrypted = "application/vnd.oci.image.layer.v1.tar+gzip+encrypted";
    let cases = [(&packed[..], Packing::Plain.media_type()), (b"secret", encrypted)];
    for (bytes, media_type) in cases {
        let builder = opaque(bytes, media_type);
        let asked = |archive: Vec<u8>, allow_opaque| {
            let verify = Options { allow_opaque, ..Options::default() };
            judge_with(archive, &Request { verify, ..Request::default() }).unwrap()
        };
        let ids = |verdict: &Verdict| -> Vec<&str> {
            verdict.findings.iter().filter(|f| f.grade == Grade::Error).map(|f| f.check).collect()
        };
        assert_eq!(ids(&asked(builder.tar(), false)), ["layer.not-inspected"]);
        let verdict = asked(builder.tar(), true);
        assert!(verdict.passed());
        // What is hashed there is no tar stream, so nobody can say that its diff_id is right.
        let looked = verdict.statuses.iter().find(|(id, _)| *id == "config.diff-id").unwrap();
        assert!(matches!(looked.1, Status::Skipped(_)), "{looked:?}");
        let stored = Digest::parse(&digest("sha256", bytes)).unwrap();
        let rungs = rungs(builder.tar()).unwrap();
        assert_eq!(
            rungs.iter().filter(|(_, digest)| *digest == stored).map(|(rung, _)| *rung).collect::<Vec<_>>(),
            [Rung::Layer]
        );
        assert!(rungs.iter().all(|(rung, _)| !matches!(rung, Rung::DiffId | Rung::ChainId)), "{rungs:?}");
        let damaged = builder.stored(Doc::Layer(0, 0), |blob| blob[3] ^= 1);
        assert!(ids(&asked(damaged.tar(), true)).contains(&"blob.digest"));
    }
}
