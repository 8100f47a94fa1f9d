//! Good images of arbitrary content: all that layers of real images have, and much that they seldom have.
//!
//! Knows how to make them. Whether one verifies is for the target to ask.

use arbitrary::{Result, Unstructured};

use crate::support::{Image, ImageBuilder, Layer, Layout, Member, Packing, tar};

/// Times of members lie on both sides of this one; those of images' documents before it.
pub const EPOCH: i64 = 1_000_000_000;
/// No time is later.
pub const LATEST: i64 = 20_000_000_000;

const TIMES: [i64; 7] = [0, 1, EPOCH - 1, EPOCH, EPOCH + 1, -9_000_000_000, LATEST];
const FRACTIONS: [&str; 4] = ["999999999.5", "1000000000.000000001", "1000000000.5", "-1.25"];
const NAMES: [&[u8]; 14] = [
    b"a",
    b"b",
    b"d/a",
    b"d/b",
    b"d/e/f",
    b"etc/passwd",
    b"./dotted",
    b"a b",
    b"d/.wh.a",
    b"d/.wh..wh..opq",
    b".wh.gone",
    b"x-\xff\xfe",
    "\u{fc}ml\u{e4}ut".as_bytes(),
    b"long/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789/name",
];
const IDS: [u64; 5] = [0, 1000, 0o7_777_777, 0o10_000_000, 4_294_967_294];
const MODES: [u64; 6] = [0o644, 0o755, 0o4755, 0, 0o7777, 0o100_644];
const OWNERS: [(&str, &str); 3] = [("", ""), ("root", "wheel"), ("", "staff")];

fn member(u: &mut Unstructured) -> Result<Member> {
    let name = *u.choose(&NAMES)?;
    let other = *u.choose(&NAMES)?;
    let mut member = match u.int_in_range(0..=9)? {
        0 | 1 => Member::dir([name, b"/"].concat()),
        2 => Member::symlink(name, other),
        3 => Member::hardlink(name, other),
        4 => Member::device(*u.choose(b"34")?, name, 5, 1),
        5 => Member::of_kind(b'6', name, []),
        _ => {
            let most = u.int_in_range(0..=700)?;
            let data = u.bytes(most.min(u.len()))?;
            Member::file(name, data)
        }
    };
    let (uname, gname) = *u.choose(&OWNERS)?;
    member = member.mtime(*u.choose(&TIMES)?).owner(*u.choose(&IDS)?, *u.choose(&IDS)?);
    member = member.mode(*u.choose(&MODES)?).owner_names(uname, gname);
    if u.ratio(1, 4)? {
        member = member.xattr("user.z", b"\0end").xattr("user.a", u.arbitrary::<[u8; 3]>()?);
    }
    // Go rounds the times of headers that are not ASCII (docs/rules.md).
    if name.is_ascii() && other.is_ascii() && u.ratio(1, 4)? {
        member = member.pax("mtime", *u.choose(&FRACTIONS)?).pax("atime", "2000000000");
    }
    Ok(member)
}

/// A layer of some members, packed somehow.
pub fn layer(u: &mut Unstructured) -> Result<Layer> {
    let members = (0..u.int_in_range(0..=6)?).map(|_| member(u)).collect::<Result<Vec<_>>>()?;
    Ok(Layer::of_tar(tar(&members), *u.choose(&Packing::ALL)?))
}

/// At most three of them.
pub fn layers(u: &mut Unstructured) -> Result<Vec<Layer>> {
    (0..u.int_in_range(0..=3)?).map(|_| layer(u)).collect()
}

/// An image of these layers.
pub fn image(layout: Layout, layers: &[Layer]) -> ImageBuilder {
    ImageBuilder::new(layout, vec![Image::new(layers.to_vec()).name("example.com/lab/x:1")])
}
