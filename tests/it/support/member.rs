//! Tar members, byte by byte: ustar headers with PAX records where a value needs one, and any byte of them bent.
//!
//! Written by hand rather than by a library so that no library's choices, good or bad, enter the test input.

const BLOCK: usize = 512;
/// The checksum field; it counts as spaces while the sum is taken (POSIX.1-1988, ustar).
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// One member of a tar archive, with its own PAX records if it has any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub name: Vec<u8>,
    /// The type flag: `b'0'` for a file, `b'5'` for a directory …
    pub kind: u8,
    pub mode: u64,
    pub uid: u64,
    pub gid: u64,
    pub uname: Vec<u8>,
    pub gname: Vec<u8>,
    /// Seconds since 1970. For a fraction use [`Member::pax`] with `mtime`.
    pub mtime: i64,
    pub link: Vec<u8>,
    pub data: Vec<u8>,
    pax: Vec<(Vec<u8>, Vec<u8>)>,
    size: Option<u64>,
    patches: Vec<(usize, Vec<u8>)>,
    checksum: Option<Vec<u8>>,
}

impl Member {
    /// A member of any type, with what follows its header.
    pub fn of_kind(kind: u8, name: impl AsRef<[u8]>, data: impl Into<Vec<u8>>) -> Member {
        Member {
            name: name.as_ref().to_vec(),
            kind,
            mode: if kind == b'5' { 0o755 } else { 0o644 },
            uid: 0,
            gid: 0,
            uname: Vec::new(),
            gname: Vec::new(),
            mtime: 0,
            link: Vec::new(),
            data: data.into(),
            pax: Vec::new(),
            size: None,
            patches: Vec::new(),
            checksum: None,
        }
    }

    pub fn file(name: impl AsRef<[u8]>, data: impl Into<Vec<u8>>) -> Member {
        Member::of_kind(b'0', name, data)
    }

    pub fn dir(name: impl AsRef<[u8]>) -> Member {
        Member::of_kind(b'5', name, [])
    }

    pub fn symlink(name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Member {
        Member { link: target.as_ref().to_vec(), mode: 0o777, ..Member::of_kind(b'2', name, []) }
    }

    pub fn hardlink(name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Member {
        Member { link: target.as_ref().to_vec(), ..Member::of_kind(b'1', name, []) }
    }

    /// A character (`b'3'`) or block (`b'4'`) device.
    pub fn device(kind: u8, name: impl AsRef<[u8]>, major: u64, minor: u64) -> Member {
        Member::of_kind(kind, name, []).patch(329, octal(major, 7)).patch(337, octal(minor, 7))
    }

    /// The marker that deletes `path` from the layers below (OCI image spec, layer.md, "Whiteouts").
    pub fn whiteout(path: &str) -> Member {
        let (dir, name) = path.rsplit_once('/').map_or(("", path), |(dir, name)| (dir, name));
        let slash = if dir.is_empty() { "" } else { "/" };
        Member::file(format!("{dir}{slash}.wh.{name}"), [])
    }

    /// PAX records that hold for every later member.
    pub fn pax_global(records: &[(&str, &str)]) -> Member {
        let data = records.iter().flat_map(|(key, value)| record(key.as_bytes(), value.as_bytes()));
        Member::of_kind(b'g', "pax_global_header", data.collect::<Vec<u8>>())
    }

    pub fn mode(self, mode: u64) -> Member {
        Member { mode, ..self }
    }

    pub fn owner(self, uid: u64, gid: u64) -> Member {
        Member { uid, gid, ..self }
    }

    pub fn owner_names(self, uname: &str, gname: &str) -> Member {
        Member { uname: uname.into(), gname: gname.into(), ..self }
    }

    pub fn mtime(self, mtime: i64) -> Member {
        Member { mtime, ..self }
    }

    /// Adds a PAX record, in this order, before those that a long or large value needs.
    pub fn pax(mut self, key: &str, value: impl AsRef<[u8]>) -> Member {
        self.pax.push((key.into(), value.as_ref().to_vec()));
        self
    }

    /// An extended attribute, as Go and GNU tar write it.
    pub fn xattr(self, name: &str, value: impl AsRef<[u8]>) -> Member {
        self.pax(&format!("SCHILY.xattr.{name}"), value)
    }

    /// What the header says of the size, whatever the data's length is.
    pub fn size(self, size: u64) -> Member {
        Member { size: Some(size), ..self }
    }

    /// Overwrites bytes of the header; the checksum is taken afterwards.
    pub fn patch(mut self, offset: usize, bytes: impl Into<Vec<u8>>) -> Member {
        self.patches.push((offset, bytes.into()));
        self
    }

    /// Writes this into the checksum field instead of the right sum.
    pub fn checksum(self, field: impl Into<Vec<u8>>) -> Member {
        Member { checksum: Some(field.into()), ..self }
    }

    /// The member as it stands in an archive: PAX header if needed, header, data, padding.
    pub fn bytes(&self) -> Vec<u8> {
        let mut records: Vec<u8> = self.pax.iter().flat_map(|(key, value)| record(key, value)).collect();
        let mut text = |key: &str, value: &[u8], room: usize| {
            if value.len() > room {
                records.extend(record(key.as_bytes(), value));
            }
            value[..value.len().min(room)].to_vec()
        };
        let name = text("path", &self.name, 100);
        let link = text("linkpath", &self.link, 100);
        let uname = text("uname", &self.uname, 32);
        let gname = text("gname", &self.gname, 32);
        let size = self.size.unwrap_or(self.data.len() as u64);
        let mut number = |key: &str, value: i128, digits: usize| {
            let fits = (0..1 << (3 * digits)).contains(&value);
            if !fits {
                records.extend(record(key.as_bytes(), value.to_string().as_bytes()));
            }
            octal(if fits { value as u64 } else { 0 }, digits)
        };
        let uid = number("uid", self.uid.into(), 7);
        let gid = number("gid", self.gid.into(), 7);
        let mtime = number("mtime", self.mtime.into(), 11);
        let size = number("size", size.into(), 11);

        let mut header = [0; BLOCK];
        let fields = [
            (0, name),
            (100, octal(self.mode, 7)),
            (108, uid),
            (116, gid),
            (124, size),
            (136, mtime),
            (156, vec![self.kind]),
            (157, link),
            (257, b"ustar\x0000".to_vec()),
            (265, uname),
            (297, gname),
        ];
        for (offset, bytes) in fields.iter().chain(&self.patches) {
            header[*offset..offset + bytes.len()].copy_from_slice(bytes);
        }
        header[CHECKSUM].fill(b' ');
        let sum = header.iter().map(|&byte| u64::from(byte)).sum();
        let field = self.checksum.clone().unwrap_or_else(|| [octal(sum, 6), vec![0]].concat());
        header[CHECKSUM.start..CHECKSUM.start + field.len()].copy_from_slice(&field);

        let mut bytes = match records.is_empty() {
            true => Vec::new(),
            false => Member::of_kind(b'x', "PaxHeaders.0/member", records).bytes(),
        };
        bytes.extend(header);
        bytes.extend(&self.data);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        bytes
    }
}

/// A whole archive: the members and two zero blocks.
pub fn tar(members: &[Member]) -> Vec<u8> {
    let mut bytes: Vec<u8> = members.iter().flat_map(Member::bytes).collect();
    bytes.resize(bytes.len() + 2 * BLOCK, 0);
    bytes
}

/// `digits` octal digits; header fields end with the NUL that is there already, or is the caller's.
fn octal(value: u64, digits: usize) -> Vec<u8> {
    format!("{value:0digits$o}").into_bytes()
}

/// `LENGTH KEY=VALUE\n`, where LENGTH counts itself (POSIX.1-2001, pax).
fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let body = key.len() + value.len() + 3;
    let mut length = body + 1;
    while body + length.to_string().len() != length {
        length = body + length.to_string().len();
    }
    [length.to_string().as_bytes(), b" ", key, b"=", value, b"\n"].concat()
}
