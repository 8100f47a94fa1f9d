//! Writes the seeds of every fuzz target to `FOLDER/TARGET/`, and as many mutants of them as the second argument says:
//! made here, from nothing, the same every time. The folder is the first argument, or `corpus`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use repro_build_fuzz::{
    checksums, mutants,
    support::{Doc, ImageBuilder, Layer, Layout, Member, Packing, tar},
};

/// Archives that touch each part of the tar reader once.
fn tars() -> Vec<Vec<u8>> {
    let long = "d/".repeat(90) + "name";
    let gnu_long = |kind| {
        Member::of_kind(kind, "././@LongLink", [long.as_bytes(), b"\0"].concat()).patch(257, *b"ustar  \0")
    };
    let sparse_10 = b"1\n0\n512\n".to_vec();
    let mut sparse_body = sparse_10;
    sparse_body.resize(1024, b'x');
    let members: Vec<Vec<Member>> = vec![
        vec![],
        vec![
            Member::file("a", "one"),
            Member::dir("d/"),
            Member::symlink("l", "a"),
            Member::hardlink("h", "a"),
        ],
        vec![Member::file(&long, "x"), Member::file("big", vec![b'z'; 1500]).owner(1 << 30, 5)],
        vec![Member::file("x", "y").xattr("user.a", "b\0c\nd").pax("mtime", "1.5").pax("size", "1")],
        vec![gnu_long(b'L'), Member::file("short", "x"), gnu_long(b'K'), Member::symlink("s", "t")],
        vec![Member::pax_global(&[("comment", "abc")]), Member::file("a", "")],
        vec![
            Member::file("s", sparse_body)
                .pax("GNU.sparse.major", "1")
                .pax("GNU.sparse.minor", "0")
                .pax("GNU.sparse.name", "real")
                .pax("GNU.sparse.realsize", "4096"),
        ],
        vec![
            Member::file("s", vec![b'x'; 512])
                .pax("GNU.sparse.map", "0,512")
                .pax("GNU.sparse.size", "1024")
                .pax("GNU.sparse.numblocks", "1"),
        ],
        vec![
            Member::device(b'3', "null", 1, 3),
            Member::of_kind(b'6', "fifo", []),
            Member::of_kind(b'A', "odd", "x"),
        ],
        vec![Member::file("b256", "12345").patch(124, [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5])],
        vec![Member::dir("d/").size(512), Member::file("hidden", vec![b'x'; 512])],
        vec![Member::file("a", "x").pax("size", "1").pax("size", "513")],
        vec![Member::file("a", "x").pax("comment", "a\n10 size=9\n").pax("size", "1")],
        vec![gnu_long(b'L'), gnu_long(b'L'), Member::file("a", "x").pax("path", "b")],
        vec![
            Member::of_kind(b'L', "././@LongLink", b"a\0b".to_vec()).patch(257, *b"ustar  \0"),
            Member::file("x", ""),
        ],
        vec![Member::file("lead", "x").patch(124, [0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])],
        vec![Member::file("gnu", "").patch(257, *b"ustar  \0").patch(345, *b"prefix")],
        vec![Member::file("d/.wh.gone", ""), Member::file("d/.wh..wh..opq", ""), Member::file("d/gone", "")],
    ];
    members.iter().map(|members| tar(members)).collect()
}

fn packed(packing: Packing) -> Vec<Vec<u8>> {
    let data = [&b""[..], b"a", &[0; 3000], b"some text, some text, some more text"];
    let mut seeds: Vec<Vec<u8>> = data.iter().map(|data| packing.pack(data)).collect();
    let two = [seeds[1].clone(), seeds[3].clone()].concat();
    seeds.push([two.clone(), vec![0; 20]].concat());
    if packing == Packing::Zstd {
        seeds.push([b"\x50\x2a\x4d\x18\x04\0\0\0abcd".to_vec(), two.clone()].concat());
    } else {
        seeds.push(
            b"\x1f\x8b\x08\x1e\0\0\0\0\0\x03\x02\0ab\
            name\0comment\0\0\0\x03\0\0\0\0\0\0\0\0\0"
                .to_vec(),
        );
    }
    seeds.push(two);
    seeds
}

fn documents() -> Vec<Vec<u8>> {
    let docs = [Doc::Index, Doc::Manifest(0), Doc::Config(0), Doc::DockerManifest];
    docs.into_iter()
        .enumerate()
        .map(|(kind, doc)| {
            let built = ImageBuilder::good().layout(Layout::Both).build();
            let name = built.name(doc).as_bytes().to_vec();
            let member = built.members().iter().find(|member| member.name == name).expect("it is there");
            [&[kind as u8], member.data.as_slice()].concat()
        })
        .collect()
}

/// What mutants of a target's seeds are made by.
#[derive(Clone, Copy, PartialEq)]
enum Bent {
    Anyhow,
    WithChecksumsMended,
    /// Not at all: the target makes arbitrary values of any bytes.
    Noise,
}

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let corpus = || Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let corpus = arguments.next().map_or_else(corpus, PathBuf::from);
    let count =
        arguments.next().map_or(0, |count| count.to_str().and_then(|count| count.parse().ok()).unwrap());

    // The multipliers are odd, so that every byte occurs.
    let noise: Vec<Vec<u8>> = (0..24_u8)
        .map(|n| (0..3000_u16).map(|i| (i.wrapping_mul(u16::from(n) * 514 + 257) >> 8) as u8 ^ n).collect())
        .collect();
    let texts = ["plain", "\u{1b}[31m", "a\\b\n\t", "\u{202e}\u{200b}é", "\u{feff}"];
    let csv = ["a,b=\"c\"", "x,push=true", "\"", "k=v\r\n", ",,\n"];
    let csv = csv.map(|text| text.as_bytes().repeat(9)).to_vec();
    let layer = Layer::new(&[Member::file("a", "b")]);
    let whole = ImageBuilder::good().layers(vec![layer]).tar();
    let seeds: [(&str, Bent, Vec<Vec<u8>>); 10] = [
        ("tar_list", Bent::WithChecksumsMended, [tars(), vec![whole.clone()]].concat()),
        ("tar_vs_crate", Bent::WithChecksumsMended, [tars(), vec![whole]].concat()),
        ("gunzip", Bent::Anyhow, packed(Packing::Gzip)),
        ("unzstd", Bent::Anyhow, packed(Packing::Zstd)),
        ("json", Bent::Anyhow, documents()),
        ("image", Bent::Noise, noise.clone()),
        ("normalize", Bent::Noise, noise.clone()),
        ("diff", Bent::Noise, noise.clone()),
        ("csv_quote", Bent::Anyhow, [noise, csv].concat()),
        ("escape", Bent::Anyhow, texts.iter().map(|text| text.as_bytes().to_vec()).collect()),
    ];
    for (target, bent, seeds) in seeds {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder)?;
        for (number, seed) in seeds.iter().enumerate() {
            fs::write(folder.join(format!("seed-{number:02}")), seed)?;
        }
        let mutants: Box<dyn Iterator<Item = Vec<u8>>> = match bent {
            // An image takes its time.
            Bent::Noise => Box::new(mutants::noise(&seeds, count / 10)),
            Bent::Anyhow | Bent::WithChecksumsMended => Box::new(mutants::mutants(&seeds, count)),
        };
        for (number, mut mutant) in mutants.enumerate() {
            if bent == Bent::WithChecksumsMended && number % 8 != 0 {
                checksums::mend(&mut mutant);
            }
            fs::write(folder.join(format!("mutant-{number:05}")), mutant)?;
        }
    }
    Ok(())
}
