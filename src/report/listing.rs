//! Listings of files: every member of every layer, or the file system the layers make together.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use globset::GlobMatcher;
use serde::Serialize;

use crate::{
    digest::Digest,
    escape::escape,
    image::Image,
    inspect::Inspected,
    stack::{self, ListedMember, Placed},
    tar::{self, Kind, Member, Timestamp, permissions},
};

/// How a listing looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListFormat {
    /// For people: a heading for each layer, whiteouts marked.
    Text,
    /// What `tar -tv` prints, without headings.
    TarV,
    /// Without loss, fields between TABs, odd bytes as %XX.
    Raw,
    /// BSD mtree, with digests where they were asked for.
    Mtree,
    /// One JSON array.
    Json,
    /// One JSON object a line.
    Ndjson,
}

impl ListFormat {
    /// Every format with its name and purpose.
    pub const ALL: &'static [(ListFormat, &'static str, &'static str)] = &[
        (ListFormat::Text, "text", "for people"),
        (ListFormat::TarV, "tar-v", "what tar -tv prints"),
        (ListFormat::Raw, "raw", "without loss, fields between TABs, odd bytes as %XX"),
        (ListFormat::Mtree, "mtree", "BSD mtree"),
        (ListFormat::Json, "json", "one JSON array"),
        (ListFormat::Ndjson, "ndjson", "one JSON object a line"),
    ];

    /// The format of that name.
    pub fn by_name(name: &str) -> Option<ListFormat> {
        Self::ALL.iter().find(|(_, known, _)| *known == name).map(|(format, _, _)| *format)
    }
}

/// What to list of an inspected input, whose members must have been measured.
pub struct Listing<'l> {
    inspected: &'l Inspected<'l>,
    /// Only this layer, counted from 1.
    pub layer: Option<usize>,
    /// The file system that the layers make together instead of each layer.
    pub merged: bool,
    /// Only paths that match.
    pub find: Option<GlobMatcher>,
}

/// One line of a listing.
struct Line<'l> {
    image: usize,
    layer: usize,
    listed: &'l ListedMember,
}

/// One file of a layer, or of the file system that the layers make together.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "ListedFile"))]
pub(super) struct Record<'r> {
    /// The image, counted from 1.
    image: usize,
    /// The layer it comes from, counted from 1.
    layer: usize,
    /// The name as it stands in the layer.
    name: String,
    /// `file`, `hardlink`, `symlink`, `char`, `block`, `directory`, `fifo` or `other`.
    kind: &'static str,
    /// Permission bits in octal.
    mode: String,
    /// Owner.
    uid: i64,
    /// Group.
    gid: i64,
    /// Owner's name.
    uname: String,
    /// Group's name.
    gname: String,
    /// Bytes of content.
    size: u64,
    /// Time of last modification: seconds since the epoch, as close as a floating-point number comes.
    mtime: f64,
    /// The same exactly: seconds since the epoch, rounded down.
    mtime_secs: i64,
    /// And nanoseconds behind them.
    mtime_nanos: u32,
    /// The link's target.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    /// Major and minor number of a device.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<(i64, i64)>,
    /// What it removes: `path`, or with `opaque` all that lies in its folder; `metadata` removes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    whiteout: Option<&'static str>,
    /// Extended attributes: name and value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    xattrs: Vec<(String, String)>,
    /// SHA-256 of the content, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'r Digest>,
}

impl<'l> Listing<'l> {
    /// A listing of everything.
    pub fn new(inspected: &'l Inspected<'l>) -> Listing<'l> {
        Listing { inspected, layer: None, merged: false, find: None }
    }

    /// Writes the listing.
    pub fn write(&self, format: ListFormat, out: &mut dyn Write) -> io::Result<()> {
        match format {
            ListFormat::Text => self.text(out),
            ListFormat::TarV => {
                self.lines().try_for_each(|line| writeln!(out, "{}", tar_v(&line.listed.member)))
            }
            ListFormat::Raw => {
                self.lines().try_for_each(|line| writeln!(out, "{}", tar::raw_line(&line.listed.member)))
            }
            ListFormat::Mtree => {
                writeln!(out, "#mtree\n. type=dir")?;
                self.lines().try_for_each(|line| writeln!(out, "{}", mtree(line.listed)))
            }
            ListFormat::Json => {
                let records: Vec<Record<'_>> = self.lines().map(|line| record(&line)).collect();
                serde_json::to_writer_pretty(&mut *out, &records)?;
                writeln!(out)
            }
            ListFormat::Ndjson => self.lines().try_for_each(|line| {
                serde_json::to_writer(&mut *out, &record(&line))?;
                writeln!(out)
            }),
        }
    }

    /// Whether there is such a layer in any of the images.
    pub fn has_layer(&self, number: usize) -> bool {
        self.inspected.images.iter().any(|image| (1..=image.layers.len()).contains(&number))
    }

    fn lines(&self) -> impl Iterator<Item = Line<'l>> {
        let images = self.inspected.images.iter().enumerate();
        images
            .flat_map(move |(i, image)| self.of_image(i, image))
            .filter(|line| self.wants(&line.listed.member))
    }

    fn of_image(&self, image: usize, of: &'l Image) -> Vec<Line<'l>> {
        let layers: Vec<&'l [ListedMember]> = of.layers.iter().map(|layer| self.members(layer)).collect();
        let line = |layer, listed| Line { image, layer, listed };
        if self.merged {
            let tree = stack::merge(layers);
            return tree
                .into_values()
                .filter(|placed| self.layer.is_none_or(|n| n == placed.layer + 1))
                .map(|Placed { layer, listed, .. }| line(layer, listed))
                .collect();
        }
        let numbered =
            layers.into_iter().enumerate().filter(|(n, _)| self.layer.is_none_or(|wanted| wanted == n + 1));
        numbered.flat_map(|(layer, members)| members.iter().map(move |listed| line(layer, listed))).collect()
    }

    fn members(&self, layer: &crate::image::Layer) -> &'l [ListedMember] {
        let facts = layer.blob.and_then(|blob| self.inspected.facts.blobs.get(&blob)?.layer.as_deref());
        facts.map(|facts| facts.members.as_slice()).unwrap_or_default()
    }

    fn wants(&self, member: &Member) -> bool {
        self.find.as_ref().is_none_or(|find| {
            let path = stack::path_of(&member.name);
            find.is_match(std::path::Path::new(&*String::from_utf8_lossy(&path)))
        })
    }

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut heading = None;
        for line in self.lines() {
            let member = &line.listed.member;
            let mark = match stack::whiteout(member) {
                Some(stack::Whiteout::Path(_)) => "  [whiteout]",
                Some(stack::Whiteout::Opaque(_)) => "  [opaque]",
                _ => "",
            };
            let digest = line.listed.digest.map(|digest| format!("{}  ", digest.hex())).unwrap_or_default();
            if self.merged {
                writeln!(out, "{:>3}  {digest}{}{mark}", line.layer + 1, tar_v(member))?;
                continue;
            }
            if heading != Some((line.image, line.layer)) {
                let blank = if heading.is_some() { "\n" } else { "" };
                heading = Some((line.image, line.layer));
                writeln!(out, "{blank}{}", self.heading(line.image, line.layer))?;
            }
            writeln!(out, "{digest}{}{mark}", tar_v(member))?;
        }
        Ok(())
    }

    fn heading(&self, image: usize, layer: usize) -> String {
        let of = self.inspected.images.get(image);
        let digest = of.and_then(|image| image.layers.get(layer)?.digest).map(|digest| digest.to_string());
        let name =
            of.and_then(|image| image.names.first()).map(|name| format!(" of {}", escape(name.as_bytes())));
        format!("Layer {}{}  {}", layer + 1, name.unwrap_or_default(), digest.unwrap_or_default())
    }
}

/// A member as GNU `tar -tv --full-time --utc` would show it.
fn tar_v(member: &Member) -> String {
    let owner = format!("{}/{}", name_or(&member.uname, member.uid), name_or(&member.gname, member.gid));
    let size = match member.kind {
        Kind::CharDevice | Kind::BlockDevice => format!("{},{}", member.devmajor, member.devminor),
        _ => member.size.to_string(),
    };
    let mut line = format!(
        "{} {owner} {size:>9} {} {}",
        type_and_permissions(member),
        time(member.mtime),
        escape(&member.name)
    );
    match member.kind {
        Kind::Symlink => drop(write!(line, " -> {}", escape(&member.link))),
        Kind::Hardlink => drop(write!(line, " link to {}", escape(&member.link))),
        _ => {}
    }
    line
}

fn name_or(name: &[u8], id: i64) -> String {
    if name.is_empty() { id.to_string() } else { escape(name).into_owned() }
}

/// Type and permission bits in letters, as `ls -l` and `tar -tv` show them.
fn type_and_permissions(member: &Member) -> String {
    let kind = match member.kind {
        Kind::Regular => '-',
        Kind::Other(_) => '?',
        kind => kind.letter().unwrap_or('?'),
    };
    format!("{kind}{}", permissions(member.mode))
}

/// Seconds in UTC; a time that no calendar has is shown as a number.
fn time(time: Timestamp) -> String {
    jiff::Timestamp::from_second(time.secs)
        .map_or_else(|_| format!("@{}", time.secs), |t| t.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Regular => "file",
        Kind::Hardlink => "hardlink",
        Kind::Symlink => "symlink",
        Kind::CharDevice => "char",
        Kind::BlockDevice => "block",
        Kind::Directory => "directory",
        Kind::Fifo => "fifo",
        Kind::Other(_) => "other",
    }
}

fn record<'r>(line: &Line<'r>) -> Record<'r> {
    let member = &line.listed.member;
    let text = |bytes: &[u8]| escape(bytes).into_owned();
    let device = matches!(member.kind, Kind::CharDevice | Kind::BlockDevice);
    Record {
        image: line.image + 1,
        layer: line.layer + 1,
        name: text(&member.name),
        kind: kind_name(member.kind),
        mode: format!("{:04o}", member.mode),
        uid: member.uid,
        gid: member.gid,
        uname: text(&member.uname),
        gname: text(&member.gname),
        size: member.size,
        mtime: member.mtime.secs as f64 + f64::from(member.mtime.nanos) / 1e9,
        mtime_secs: member.mtime.secs,
        mtime_nanos: member.mtime.nanos,
        link: (!member.link.is_empty()).then(|| text(&member.link)),
        device: device.then_some((member.devmajor, member.devminor)),
        whiteout: stack::whiteout(member).map(|whiteout| match whiteout {
            stack::Whiteout::Path(_) => "path",
            stack::Whiteout::Opaque(_) => "opaque",
            stack::Whiteout::Metadata => "metadata",
        }),
        xattrs: member.xattrs().map(|(name, value)| (text(name), text(value))).collect(),
        digest: line.listed.digest.as_ref(),
    }
}

/// One line of mtree(5): names in its vis(3) octal escapes.
fn mtree(listed: &ListedMember) -> String {
    let member = &listed.member;
    let kind = match member.kind {
        Kind::Regular | Kind::Hardlink => "file",
        Kind::Symlink => "link",
        Kind::Directory => "dir",
        Kind::CharDevice => "char",
        Kind::BlockDevice => "block",
        Kind::Fifo => "fifo",
        Kind::Other(_) => "file",
    };
    let path = stack::path_of(&member.name);
    let folder = if path.is_empty() { "." } else { "./" };
    let mut line = format!(
        "{folder}{} type={kind} mode={:04o} uid={} gid={} time={}",
        vis(&path),
        member.mode & 0o7777,
        member.uid,
        member.gid,
        member.mtime.decimal()
    );
    if member.kind == Kind::Regular {
        let _ = write!(line, " size={}", member.size);
    }
    if member.kind == Kind::Symlink {
        let _ = write!(line, " link={}", vis(&member.link));
    }
    if matches!(member.kind, Kind::CharDevice | Kind::BlockDevice) {
        let _ = write!(line, " device=native,{},{}", member.devmajor, member.devminor);
    }
    if let Some(digest) = listed.digest {
        let _ = write!(line, " sha256digest={}", digest.hex());
    }
    line
}

fn vis(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'!'..=b'~' if !matches!(byte, b'\\' | b'#' | b'*' | b'?' | b'[' | b'=') => {
                out.push(char::from(byte))
            }
            _ => drop(write!(out, "\\{byte:03o}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mtree_has_times_as_bsdtar_writes_them() {
        for (secs, nanos, written) in [
            (0, 0, "0.000000000"),
            (1, 5, "1.000000005"),
            (-1, 0, "-1.000000000"),
            (-1, 500_000_000, "-0.500000000"),
            (-2, 500_000_000, "-1.500000000"),
        ] {
            let mtime = Timestamp { secs, nanos };
            let member = Member { name: b"f".to_vec(), mtime, ..Member::default() };
            let line = mtree(&ListedMember { member, digest: None });
            assert!(line.contains(&format!(" time={written} ")), "{line}");
        }
    }
}
