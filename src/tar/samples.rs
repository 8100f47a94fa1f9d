//! Test archives made block by block: one for each kind of anomaly, and the builders for more.
#![allow(clippy::arithmetic_side_effects)]

use super::*;

/// A header block with some bytes set, and the checksum that fits.
pub(super) fn block(name: &[u8], typeflag: u8, size: usize, patches: &[(usize, &[u8])]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let size = format!("{size:011o}\0");
    let fields: [(usize, &[u8]); 8] = [
        (0, name),
        (100, b"0000644\0"),
        (108, b"0000000\0"),
        (116, b"0000000\0"),
        (124, size.as_bytes()),
        (136, b"00000000000\0"),
        (156, &[typeflag]),
        (257, b"ustar\x0000"),
    ];
    for (at, bytes) in fields.iter().chain(patches) {
        block[*at..at + bytes.len()].copy_from_slice(bytes);
    }
    seal(&mut block);
    block
}

pub(super) fn seal(block: &mut [u8; BLOCK]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

pub(super) fn with_body(header: [u8; BLOCK], body: &[u8]) -> Vec<u8> {
    let mut out = [&header, body].concat();
    out.resize(out.len() + padding(body.len() as u64), 0);
    out
}

pub(super) fn file(name: &str, body: &[u8]) -> Vec<u8> {
    with_body(block(name.as_bytes(), b'0', body.len(), &[]), body)
}

pub(super) fn link(name: &str, typeflag: u8, target: &str) -> Vec<u8> {
    block(name.as_bytes(), typeflag, 0, &[(157, target.as_bytes())]).to_vec()
}

pub(super) fn patched(name: &str, patches: &[(usize, &[u8])]) -> Vec<u8> {
    block(name.as_bytes(), b'0', 0, patches).to_vec()
}

pub(super) fn extension(typeflag: u8, records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    records.iter().for_each(|(key, value)| pax::push_record(&mut body, key.as_bytes(), value));
    with_body(block(b"PaxHeaders.0/x", typeflag, body.len(), &[]), &body)
}

pub(super) fn pax(records: &[(&str, &[u8])]) -> Vec<u8> {
    extension(b'x', records)
}

pub(super) const GNU: (usize, &[u8]) = (257, b"ustar  \0");

pub(super) fn long(typeflag: u8, text: &[u8]) -> Vec<u8> {
    with_body(block(b"././@LongLink", typeflag, text.len(), &[GNU]), text)
}

pub(super) fn archive(parts: &[Vec<u8>]) -> Vec<u8> {
    [parts.concat().as_slice(), &END].concat()
}

/// An archive for each kind that raises it: every row of the table can be told.
pub(super) fn samples() -> Vec<(AnomalyKind, Vec<u8>)> {
    use AnomalyKind::*;
    let a = || file("a", b"data");
    let whole = |parts: &[Vec<u8>]| archive(parts);
    let cut = |parts: &[Vec<u8>], by: usize| {
        let mut bytes = parts.concat();
        bytes.truncate(bytes.len() - by);
        bytes
    };
    let gnu_sparse = |patches: &[(usize, &[u8])]| block(b"s", b'S', 0, &[&[GNU], patches].concat()).to_vec();
    let map = |map: &[u8]| {
        pax(&[
            ("GNU.sparse.major", b"0"),
            ("GNU.sparse.minor", b"1"),
            ("GNU.sparse.numblocks", b"1"),
            ("GNU.sparse.map", map),
        ])
    };
    let endless = [&[b'7'; 504][..], b"\x01\0\0\0\0\0\0\0"].concat();
    let endless = [gnu_sparse(&[(386, b"00000000000\0"), (482, b"\x01")]), endless.repeat(3000)];
    let signed = {
        let mut block = block(b"caf\xe9", b'0', 0, &[]);
        let stated = u32::from_str_radix(std::str::from_utf8(&block[148..154]).unwrap(), 8).unwrap();
        block[148..155].copy_from_slice(format!("{:06o}\0", stated - 256).as_bytes());
        block.to_vec()
    };
    let bad_checksum = {
        let mut block = block(b"b", b'0', 0, &[]);
        block[0] = b'c';
        block.to_vec()
    };
    let xattr = |key: &str| pax(&[(key, b"y")]);
    let many_directories: Vec<Vec<u8>> = (0..=((1 << 20) / 100))
        .map(|i| {
            let path = format!("{i}/{}f", "d/".repeat(99));
            [pax(&[("path", path.as_bytes())]), patched("f", &[])].concat()
        })
        .collect();
    vec![
        (HeaderChecksum, whole(&[a(), bad_checksum])),
        (NumberInvalid, whole(&[patched("a", &[(124, b"00000000008\0")])])),
        (NumberOverflow, whole(&[patched("a", &[(124, b"\x80\0\0\x01\0\0\0\0\0\0\0\0")])])),
        (SizeNegative, whole(&[patched("a", &[(124, &[0xff; 12])])])),
        (PaxRecord, whole(&[with_body(block(b"x", b'x', 9, &[]), b"99 path=a"), a()])),
        (PaxNul, whole(&[pax(&[("path", b"a\0b")]), a()])),
        (PaxNumber, whole(&[pax(&[("uid", b"1_0")]), a()])),
        (PaxTime, whole(&[pax(&[("mtime", b"noon")]), a()])),
        (SparseMap, whole(&[map(b"5,5,"), a()])),
        (SparseData, whole(&[map(b"0,9"), pax(&[]), map(b"0,3"), a()])),
        (SparseTooLong, whole(&endless)),
        (TruncatedHeader, cut(&[a(), a()], 600)),
        (TruncatedExtension, cut(&[pax(&[("path", b"a")])], 505)),
        (TruncatedBody, cut(&[a()], 509)),
        (ZeroBlockInside, whole(&[a(), vec![0; BLOCK], a()])),
        (ExtensionWithoutMember, whole(&[a(), pax(&[("path", b"b")])])),
        (ArchiveAfterEnd, whole(&[a(), END.to_vec(), a()])),
        (PaxSizeBeforeGnu, whole(&[pax(&[("size", b"4")]), long(b'L', b"long\0"), a()])),
        (ExtensionTooLarge, whole(&[block(b"x", b'x', (1 << 20) + 1, &[]).to_vec()])),
        (TooManyDirectories, whole(&many_directories)),
        (ChecksumSigned, whole(&[signed])),
        (NumberLead, whole(&[patched("a", &[(108, b"\x81\0\0\0\0\0\0\x05")])])),
        (NumberNul, whole(&[patched("a", &[(108, b"\x00000005\0")])])),
        (NumberSpaces, whole(&[patched("a", &[(108, b"        ")])])),
        (NumberNegative, whole(&[patched("a", &[(108, &[0xff; 8])])])),
        (HeaderOnlyWithSize, whole(&[block(b"d/", b'5', 512, &[]).to_vec()])),
        (GnuTimes, whole(&[patched("a", &[GNU, (345, b"00000001234\0")])])),
        (GnuPrefix, whole(&[patched("a", &[GNU, (345, b"prefix")])])),
        (StrayPrefix, whole(&[patched("a", &[(257, &[0; 8]), (345, b"prefix")])])),
        (GnuRealSize, whole(&[patched("a", &[GNU, (483, b"00000000007\0")])])),
        (PaxDuplicateKey, whole(&[pax(&[("path", b"b"), ("path", b"c")]), a()])),
        (PaxRepeated, whole(&[pax(&[("path", b"b")]), pax(&[("path", b"c")]), a()])),
        (PaxEmpty, whole(&[pax(&[("path", b"")]), a()])),
        (PaxNumberForm, whole(&[pax(&[("uid", b"+5")]), a()])),
        (PaxRecordForm, whole(&[with_body(block(b"x", b'x', 11, &[]), b"11  path=b\n"), a()])),
        (PaxGlobalField, whole(&[extension(b'g', &[("mtime", b"5")]), a()])),
        (PaxGnuMix, whole(&[pax(&[("path", b"b")]), long(b'L', b"long\0"), a()])),
        (GnuLongEmpty, whole(&[long(b'L', b"\0"), a()])),
        (GnuLongNul, whole(&[long(b'L', b"b\0c"), a()])),
        (GnuLongRepeated, whole(&[long(b'L', b"b\0"), long(b'L', b"c\0"), a()])),
        (SparseVersion, whole(&[pax(&[("GNU.sparse.major", b"2"), ("GNU.sparse.minor", b"0")]), a()])),
        (SparseStray, whole(&[pax(&[("GNU.sparse.name", b"b")]), a()])),
        (SparseGnu, whole(&[gnu_sparse(&[(483, b"00000000007\0")])])),
        (TruncatedPadding, cut(&[a()], 1)),
        (EndMarkerMissing, a()),
        (EndMarkerHalf, [a(), vec![0; BLOCK]].concat()),
        (DataAfterEnd, [archive(&[a()]), b"junk".to_vec()].concat()),
        (BytesAfterNul, whole(&[patched("a\0b", &[])])),
        (NumberBlank, whole(&[patched("a", &[(108, &[0; 8])])])),
        (
            PaxSizeOverride,
            whole(&[pax(&[("size", b"4")]), patched("a", &[]), b"data".to_vec(), vec![0; 508]]),
        ),
        (PaxNewline, whole(&[pax(&[("comment", b"a\n9 size=5")]), a()])),
        (PaxTimeDigits, whole(&[pax(&[("mtime", b"1.0000000001")]), a()])),
        (PaxGlobal, whole(&[extension(b'g', &[("comment", b"5")]), a()])),
        (Sparse, whole(&[map(b"0,4"), a()])),
        (PaddingNotZero, whole(&[[&block(b"a", b'0', 4, &[])[..], b"datamore", &[0; 504]].concat()])),
        (EmptyHalfMarker, vec![0; BLOCK]),
        (TocAfterEnd, whole(&[a(), END.to_vec(), file("stargz.index.json", b"{}")])),
        (PathEmpty, whole(&[file("", b"")])),
        (PathAbsolute, whole(&[file("/a", b"")])),
        (PathParent, whole(&[file("a/../b", b"")])),
        (PathDeep, whole(&[pax(&[("path", ["d/".repeat(129).as_str(), "x"].concat().as_bytes())]), a()])),
        (PathTrailingSlash, whole(&[file("a/", b"")])),
        (PathThroughSymlink, whole(&[link("e", b'2', "d"), file("e/f", b"")])),
        (DuplicatePath, whole(&[a(), file("./a", b"")])),
        (DuplicateThroughSymlink, whole(&[link("e", b'2', "x/../d"), file("d/f", b""), file("e/f", b"")])),
        (DuplicateDirectory, whole(&[link("d/", b'5', ""), link("d/", b'5', "")])),
        (WhiteoutAndPath, whole(&[file("d/.wh.a", b""), file("d/a/b", b"")])),
        (WhiteoutDot, whole(&[file("d/.wh...", b"")])),
        (WhiteoutWithData, whole(&[file(".wh.a", b"data")])),
        (OpaqueLate, whole(&[file("d/a", b""), file("d/.wh..wh..opq", b"")])),
        (OpaqueRoot, whole(&[file("./.wh..wh..opq", b"")])),
        (OverlayMarker, whole(&[xattr("SCHILY.xattr.trusted.overlay.opaque"), a()])),
        (HardlinkToWhiteout, whole(&[file(".wh.a", b""), link("b", b'1', ".wh.a")])),
        (HardlinkMissing, whole(&[link("b", b'1', "c"), file("c", b"")])),
        (LinkEmpty, whole(&[link("b", b'2', "")])),
        (TypeByName, whole(&[pax(&[("path", b"b")]), link("a/", 0, "")])),
        (TypeUnknown, whole(&[link("b", b'A', "")])),
        (LinkUnused, whole(&[link("b", b'0', "c")])),
        (Device, whole(&[block(b"sda", b'4', 0, &[(329, b"0000010\0")]).to_vec()])),
        (SetId, whole(&[patched("su", &[(100, b"0004755\0")])])),
        (FileCapability, whole(&[xattr("SCHILY.xattr.security.capability"), a()])),
    ]
}

/// The samples that are small enough for many rounds.
pub(super) fn samples_once() -> &'static [Vec<u8>] {
    static SAMPLES: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
    SAMPLES.get_or_init(|| {
        samples().into_iter().map(|(_, sample)| sample).filter(|s| s.len() < 20_000).collect()
    })
}
