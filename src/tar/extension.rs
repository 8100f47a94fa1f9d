//! Extension headers (`x`, `g`, `L`, `K`): what they say of the member that follows them.
//!
//! Knows which extension overrides which, as in Go's archive/tar. Must not know how bytes arrive.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::arithmetic_side_effects)]

use super::anomaly::{AnomalyKind, Fault, shown};
use super::header::{Dialects, Header, is_zero, until_nul};
use super::member::{GlobalHeader, Record, XATTR_PREFIX};
use super::pax;
use crate::limits::Limits;

/// An extension header whose body is to come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extension {
    pub(super) typeflag: u8,
    pub(super) size: usize,
}

impl Extension {
    /// The extension that a header begins, if it is one.
    pub(super) fn of(header: &Header, limits: &Limits) -> Result<Option<Extension>, Fault> {
        let typeflag = header.typeflag;
        if !matches!(typeflag, b'x' | b'g' | b'L' | b'K') {
            return Ok(None);
        }
        let size = usize::try_from(header.size).map_err(|_| negative_size(header.size))?;
        if size as u64 > limits.max_extension {
            let detail = format!("{size} bytes, over the limit of {}", limits.max_extension);
            return Err(Fault::new(AnomalyKind::ExtensionTooLarge, detail));
        }
        Ok(Some(Extension { typeflag, size }))
    }
}

pub(super) fn negative_size(size: i64) -> Fault {
    Fault::new(AnomalyKind::SizeNegative, format!("a size of {size} bytes"))
}

/// Extension headers that wait for their member.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    /// What the headers seen so far allow.
    pub(super) dialects: Dialects,
    /// The records of the last `x` header.
    pub(super) records: Option<Vec<Record>>,
    /// The body of the last `L` header.
    pub(super) long_name: Option<Vec<u8>>,
    /// The body of the last `K` header.
    pub(super) long_link: Option<Vec<u8>>,
}

impl Default for Pending {
    fn default() -> Pending {
        Pending { dialects: Dialects::ANY, records: None, long_name: None, long_link: None }
    }
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_none() && self.long_name.is_none() && self.long_link.is_none()
    }

    /// Takes the body of an extension header; gives back the records of a global one, behind which Go forgets all
    /// that came before.
    pub(super) fn take_body(
        &mut self,
        typeflag: u8,
        body: &[u8],
        mut tell: impl FnMut(AnomalyKind, String),
    ) -> Result<Option<Vec<Record>>, Fault> {
        if matches!(typeflag, b'L' | b'K') {
            self.take_long(typeflag, body, tell);
            return Ok(None);
        }
        let records = pax::parse(body)?;
        if let Some(key) = &records.duplicate {
            tell(AnomalyKind::PaxDuplicateKey, format!("the keyword {} stands more than once", shown(key)));
        }
        if let Some(key) = &records.odd_form {
            tell(AnomalyKind::PaxRecordForm, format!("the keyword {}", shown(key)));
        }
        if let Some((key, _)) = records.list.iter().find(|(_, value)| value.contains(&b'\n')) {
            tell(AnomalyKind::PaxNewline, format!("in the value of {}", shown(key)));
        }
        if typeflag == b'x' {
            if self.records.is_some() {
                tell(AnomalyKind::PaxRepeated, "the last extended header is taken alone".into());
            }
            self.dialects = self.dialects.only(Dialects::PAX);
            self.records = Some(records.list);
            return Ok(None);
        }
        if !std::mem::take(self).is_empty() {
            tell(AnomalyKind::ExtensionWithoutMember, "a global header follows it".into());
        }
        let effective = records.list.iter().find(|(key, _)| is_effective(key));
        match effective {
            Some((key, _)) => {
                let detail = format!("it sets {} for all members behind it", shown(key));
                tell(AnomalyKind::PaxGlobalField, detail);
            }
            None => tell(AnomalyKind::PaxGlobal, format!("{} records", records.list.len())),
        }
        Ok(Some(records.list))
    }

    fn take_long(&mut self, typeflag: u8, body: &[u8], mut tell: impl FnMut(AnomalyKind, String)) {
        self.dialects = self.dialects.only(Dialects::GNU);
        let (what, slot) = match typeflag {
            b'L' => ("name", &mut self.long_name),
            _ => ("link target", &mut self.long_link),
        };
        let stated = self.records.iter().flatten().find(|(key, value)| key == b"size" && !value.is_empty());
        if let Some((_, size)) = stated {
            let detail = format!("the record says {} bytes, the long {what} has {}", shown(size), body.len());
            tell(AnomalyKind::PaxSizeBeforeGnu, detail);
        }
        let text = until_nul(body);
        if text.is_empty() {
            tell(AnomalyKind::GnuLongEmpty, format!("the {what} is empty, so the header block's counts"));
        }
        if !is_zero(body.get(text.len()..).unwrap_or_default()) {
            let detail = format!("the {what} is {}, its body has {} bytes", shown(text), body.len());
            tell(AnomalyKind::GnuLongNul, detail);
        }
        if slot.replace(text.to_vec()).is_some() {
            tell(AnomalyKind::GnuLongRepeated, format!("the last {what} counts"));
        }
    }
}

/// Whether a reader that applies global records would see other members for it.
fn is_effective(key: &[u8]) -> bool {
    pax::is_header_field(key) || key.starts_with(b"GNU.sparse.") || key.starts_with(XATTR_PREFIX)
}

/// The global header of that name with these records; its own `path` overrides the name, as in Go.
pub(super) fn global_header(name: &[u8], records: Vec<Record>, header_offset: u64) -> GlobalHeader {
    let path = records.iter().find(|(key, value)| key == b"path" && !value.is_empty());
    let name = path.map_or(name, |(_, value)| value).to_vec();
    GlobalHeader { name, records, header_offset }
}
