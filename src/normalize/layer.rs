//! One layer: decoded window by window, its members brought to their canonical form, written and compressed again.
//!
//! Knows streams. Nothing of a layer is held decoded but one window; a rewritten blob of more than a mebibyte, and the
//! members of a layer that has to be sorted, go to an unlinked temporary file. Must not know documents.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use super::order::Order;
use crate::{
    archive::{Spool, Spooled},
    codec::{self, Compression, Crew, Recipe},
    digest::{Algorithm, DiffId, Digest, Hasher},
    limits::Limits,
    rules::{Active, Context, MemberCanon, apply_all},
    tar::{self, Anomaly, AnomalyKind, End, GlobalHeader, Member, Sink, Walker},
};

/// Size of the windows a layer is decoded into.
const WINDOW: usize = 256 << 10;
/// Most bytes of a rewritten layer that stay in memory; more goes to a temporary file.
const IN_MEMORY: u64 = 1 << 20;

/// How often each rule changed something.
pub(super) type Counts = BTreeMap<&'static str, u64>;

/// What is to be done to layers.
pub(super) struct Treatment<'t> {
    ids: Vec<&'static str>,
    members: Vec<&'static MemberCanon>,
    drop_globals: bool,
    framing: bool,
    sort: bool,
    recode: bool,
    compression: Option<Compression>,
    context: Context,
    limits: &'t Limits,
}

/// A layer that was rewritten.
pub(super) struct Rewritten {
    pub(super) blob: Spooled,
    pub(super) digests: Vec<Digest>,
    pub(super) diff_ids: Vec<DiffId>,
    pub(super) recipe: Recipe,
    pub(super) counts: Counts,
}

/// Why a layer was not rewritten.
pub(super) enum Obstacle {
    /// It cannot be: what is in it has no place in a tar of ours.
    Layer(String),
    /// The system refused.
    Io(io::Error),
    /// The observer said stop.
    Cancelled,
}

impl From<io::Error> for Obstacle {
    fn from(error: io::Error) -> Obstacle {
        Obstacle::Io(error)
    }
}

type Result<T> = std::result::Result<T, Obstacle>;

/// One layer as it comes.
pub(super) struct Packed<'p> {
    pub(super) bytes: &'p [u8],
    /// Digests to take of the new blob.
    pub(super) algorithms: Vec<Algorithm>,
    /// Digests to take of the new tar stream.
    pub(super) diff_algorithms: Vec<Algorithm>,
    /// Who compresses.
    pub(super) crew: &'p Crew,
    /// Hears of bytes that were read, and says whether to go on.
    pub(super) advance: &'p (dyn Fn(usize, usize) -> bool + Sync),
}

impl<'t> Treatment<'t> {
    pub(super) fn new(
        active: &Active,
        compression: Option<Compression>,
        context: Context,
        limits: &'t Limits,
    ) -> Treatment<'t> {
        let (ids, members) = active.rules().filter_map(|rule| Some((rule.id, rule.member()?))).unzip();
        Treatment {
            ids,
            members,
            drop_globals: active.has("layer.global-headers"),
            framing: active.has("layer.framing"),
            sort: active.has("layer.order"),
            recode: active.has("layer.encoding"),
            compression: compression.or(active.has("layer.encoding").then_some(Compression::Gzip)),
            context,
            limits,
        }
    }

    /// Rewrites a layer; `None` if nothing in it changes.
    pub(super) fn apply(&self, packed: &Packed<'_>) -> Result<Option<Rewritten>> {
        let from = codec::sniff(packed.bytes);
        let to = self.compression.unwrap_or(from);
        let recipe = Recipe::new(to, None).map_err(|error| Obstacle::Layer(error.to_string()))?;
        let certain = self.recode || from != to;
        let (output, mut counts) = if self.sort {
            let sorted = self.sort(packed)?;
            if !certain && sorted.order.is_none() && !self.changes(packed)? {
                return Ok(None);
            }
            sorted.write(Output::new(packed, recipe)?)?
        } else if certain || self.changes(packed)? {
            let Written { mut out, counts, .. } = self.rewrite(packed, Output::new(packed, recipe)?)?;
            out.write_all(&tar::END)?;
            (out, counts)
        } else {
            return Ok(None);
        };
        let rewritten = output.finish()?;
        if from != to {
            *counts.entry("layer.encoding").or_default() += 1;
        }
        Ok(Some(Rewritten { counts, ..rewritten }))
    }

    /// Whether any rule changes anything; reads only up to the first change.
    fn changes(&self, packed: &Packed<'_>) -> Result<bool> {
        let mut scan = Scan { treatment: self, changed: false };
        let mut walker = Walker::new(self.limits);
        let whole = decode(packed, self.limits, |window| {
            walker.feed(window, &mut scan);
            Ok(!scan.changed)
        })?;
        if whole {
            let outcome = walker.finish(&mut scan);
            scan.changed |= self.framing && (outcome.end != End::Marker || !is_framed(&outcome));
        }
        Ok(scan.changed)
    }

    /// Writes the members to a temporary file first, since the last one may have to come first.
    fn sort(&self, packed: &Packed<'_>) -> Result<Sorted> {
        let Written { out, counts, ends, order } = self.rewrite(packed, Spool::new(IN_MEMORY))?;
        let order = order.sorted().map_err(Obstacle::Layer)?;
        Ok(Sorted { spool: out.finish()?, counts, ends, order })
    }

    /// Writes all members to `out`.
    pub(super) fn rewrite<W: Write>(&self, packed: &Packed<'_>, out: W) -> Result<Written<W>> {
        let mut rewriter = Rewriter {
            treatment: self,
            out,
            counts: Counts::new(),
            framing: 0,
            written: 0,
            ends: Vec::new(),
            order: Order::default(),
            padding: 0,
            obstacle: None,
        };
        let mut walker = Walker::new(self.limits);
        decode(packed, self.limits, |window| {
            walker.feed(window, &mut rewriter);
            rewriter.obstacle.take().map_or(Ok(true), Err)
        })?;
        let outcome = walker.finish(&mut rewriter);
        if let Some(obstacle) = rewriter.obstacle.take() {
            return Err(obstacle);
        }
        if outcome.end == End::Failed {
            return Err(Obstacle::Layer("it is not a tar archive that can be read to its end".to_owned()));
        }
        rewriter.framing += u64::from(outcome.end != End::Marker || !is_framed(&outcome));
        if rewriter.framing > 0 {
            rewriter.counts.insert("layer.framing", rewriter.framing);
        }
        let Rewriter { out, counts, ends, order, .. } = rewriter;
        Ok(Written { out, counts, ends, order })
    }
}

/// What came of writing a layer's members.
pub(super) struct Written<W> {
    pub(super) out: W,
    counts: Counts,
    /// Where each member ends; empty if they are not to be sorted.
    ends: Vec<u64>,
    /// What their order depends on; empty if they are not to be sorted.
    order: Order,
}

/// A layer's members in a temporary file, and how to put them in order.
struct Sorted {
    spool: Spooled,
    counts: Counts,
    ends: Vec<u64>,
    /// The members' positions; `None` if they stand in order already.
    order: Option<Vec<usize>>,
}

impl Sorted {
    fn write(self, mut output: Output) -> io::Result<(Output, Counts)> {
        let Sorted { spool, mut counts, ends, order } = self;
        let mut moved = 0;
        let order = order.unwrap_or_else(|| (0..ends.len()).collect());
        for (position, member) in order.into_iter().enumerate() {
            let start = member.checked_sub(1).map_or(0, |before| ends.get(before).copied().unwrap_or(0));
            let end = ends.get(member).copied().unwrap_or(start);
            super::copy(&spool, to_usize(start)..to_usize(end), |chunk| output.write_all(chunk))?;
            moved += u64::from(position != member);
        }
        let last = ends.last().copied().unwrap_or(0);
        super::copy(&spool, to_usize(last)..spool.len(), |chunk| output.write_all(chunk))?;
        output.write_all(&tar::END)?;
        if moved > 0 {
            counts.insert("layer.order", moved);
        }
        Ok((output, counts))
    }
}

/// Whether nothing follows the two zero blocks.
fn is_framed(outcome: &tar::Outcome) -> bool {
    outcome.bytes.end == tar::END.len() as u64 && outcome.bytes.trailing == 0
}

fn to_usize(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// Decodes a layer window by window until `take` says stop; whether it was read to its end.
fn decode(packed: &Packed<'_>, limits: &Limits, mut take: impl FnMut(&[u8]) -> Result<bool>) -> Result<bool> {
    let compression = codec::sniff(packed.bytes);
    let mut decoder = codec::decoder(compression, packed.bytes, limits);
    let mut window = vec![0; WINDOW];
    let mut read = 0;
    loop {
        let filled = decoder.fill(&mut window).map_err(|error| Obstacle::Layer(error.to_string()))?;
        if filled == 0 {
            return Ok(true);
        }
        if !take(window.get(..filled).unwrap_or_default())? {
            return Ok(false);
        }
        let consumed = to_usize(decoder.consumed()).min(packed.bytes.len());
        if !(packed.advance)(read, consumed) {
            return Err(Obstacle::Cancelled);
        }
        read = consumed;
    }
}

/// Looks whether a rule would change anything.
struct Scan<'s, 't> {
    treatment: &'s Treatment<'t>,
    changed: bool,
}

impl Sink for Scan<'_, '_> {
    fn member(&mut self, mut member: Member) {
        let Treatment { members, context, .. } = self.treatment;
        if !self.changed {
            apply_all(members, &mut member, context, |_| self.changed = true);
        }
    }

    fn global(&mut self, _: GlobalHeader) {
        self.changed |= self.treatment.drop_globals;
    }

    fn anomaly(&mut self, anomaly: Anomaly) {
        self.changed |= self.treatment.framing && anomaly.kind == AnomalyKind::PaddingNotZero;
    }
}

/// Writes members as they come, in their canonical form.
struct Rewriter<'r, 't, W> {
    treatment: &'r Treatment<'t>,
    out: W,
    counts: Counts,
    framing: u64,
    written: u64,
    ends: Vec<u64>,
    order: Order,
    padding: usize,
    obstacle: Option<Obstacle>,
}

impl<W: Write> Rewriter<'_, '_, W> {
    fn write(&mut self, bytes: &[u8]) {
        if self.obstacle.is_none() {
            self.obstacle = self.out.write_all(bytes).err().map(Obstacle::Io);
            self.written = self.written.saturating_add(bytes.len() as u64);
        }
    }

    fn write_header(&mut self, header: std::result::Result<Vec<u8>, tar::Unrepresentable>, name: &[u8]) {
        match header {
            Ok(header) => self.write(&header),
            Err(error) => {
                let message = format!("{}: {error}", crate::escape::escape(name));
                self.obstacle.get_or_insert(Obstacle::Layer(message));
            }
        }
    }
}

impl<W: Write> Sink for Rewriter<'_, '_, W> {
    fn member(&mut self, mut member: Member) {
        let Treatment { ids, members, context, sort, .. } = self.treatment;
        if *sort {
            self.order.add(&member);
        }
        apply_all(members, &mut member, context, |position| {
            if let Some(id) = ids.get(position) {
                *self.counts.entry(id).or_default() += 1;
            }
        });
        self.write_header(tar::encode(&member), &member.name);
        self.padding = tar::padding(member.size);
    }

    fn data(&mut self, data: &[u8]) {
        self.write(data);
    }

    fn end_member(&mut self) {
        self.write(tar::END.get(..self.padding).unwrap_or_default());
        if self.treatment.sort {
            self.ends.push(self.written);
        }
    }

    fn global(&mut self, header: GlobalHeader) {
        if self.treatment.drop_globals {
            *self.counts.entry("layer.global-headers").or_default() += 1;
        } else {
            self.write_header(tar::encode_global(&header), &header.name);
        }
    }

    fn anomaly(&mut self, anomaly: Anomaly) {
        self.framing += u64::from(anomaly.kind == AnomalyKind::PaddingNotZero);
    }
}

/// A rewritten layer on its way: tar stream → its digests → compression → the blob's digests → the blob.
struct Output {
    encoder: codec::Encoder<Hashed<Spool>>,
    diff: Vec<Hasher>,
    recipe: Recipe,
}

/// Takes digests of what passes through.
struct Hashed<W> {
    out: W,
    hashers: Vec<Hasher>,
}

impl Output {
    fn new(packed: &Packed<'_>, recipe: Recipe) -> io::Result<Output> {
        let hashers = |algorithms: &[Algorithm]| algorithms.iter().map(|a| Hasher::new(*a)).collect();
        let blob = Hashed { out: Spool::new(IN_MEMORY), hashers: hashers(&packed.algorithms) };
        let encoder = recipe.encoder(packed.crew, blob)?;
        Ok(Output { encoder, diff: hashers(&packed.diff_algorithms), recipe })
    }

    fn finish(self) -> io::Result<Rewritten> {
        let Hashed { out, hashers } = self.encoder.finish()?;
        Ok(Rewritten {
            blob: out.finish()?,
            digests: hashers.into_iter().map(Hasher::finish).collect(),
            diff_ids: self.diff.into_iter().map(|hasher| DiffId(hasher.finish())).collect(),
            recipe: self.recipe,
            counts: Counts::new(),
        })
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.diff.iter_mut().for_each(|hasher| hasher.update(bytes));
        self.encoder.write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.encoder.flush()
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        let taken = bytes.get(..written).unwrap_or_default();
        self.hashers.iter_mut().for_each(|hasher| hasher.update(taken));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
