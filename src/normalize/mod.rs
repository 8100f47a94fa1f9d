//! Normalising: an image archive written anew, so that what differs between equal builds differs no more.
//!
//! From the bottom up: members → layer streams → configurations → manifests → indexes → outer archive. What no rule
//! changes is copied byte for byte. Must not know terminals; which file the output goes to is `output`'s affair.

mod base;
mod descriptor;
mod documents;
mod form;
mod layer;
mod layers;
mod layout;
pub(crate) mod made;
mod names;
mod order;
mod outcome;
mod output;
mod print;
mod written;

use std::{
    collections::{BTreeMap, HashSet},
    io::{self, Write},
    ops::Range,
};

use crate::{
    archive::{self, ArchiveWriter, EntryKind, Source, Spooled},
    codec::Compression,
    digest::{Algorithm, Digest, Hasher},
    error::{Error, ErrorKind, Result},
    grade::Grade,
    inspect::{self, Also, Inspected, Request},
    ladder::Rung,
    limits::Limits,
    measure::Workers,
    observe::Observer,
    rfc3339,
    rules::{Active, Context, Level},
    verify,
};

use documents::{Content, Documents};
use layer::Treatment;
use layers::Layers;
use outcome::Ledger;
pub(crate) use written::is_as_written;

pub use base::Base;
pub use layout::Layout;
pub(crate) use order::Order as MemberOrder;
pub use outcome::{Change, Moved, Outcome};
pub use output::to_file;

/// What becomes of attestations and signatures of a manifest that changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attestations {
    /// Nothing is written.
    #[default]
    Fail,
    /// They stay, and point to the new manifest.
    Keep,
    /// They are left out.
    Drop,
}

/// How to normalise.
#[derive(Clone, Debug)]
pub struct Options {
    /// The level, for the record.
    pub level: Level,
    /// The rules in force.
    pub active: Active,
    /// SOURCE_DATE_EPOCH. Needed where a rule that limits times is in force.
    pub source_date_epoch: Option<i64>,
    /// Layers to leave alone.
    pub base: Base,
    /// The layout of the output; `None` keeps that of the input.
    pub layout: Option<Layout>,
    /// The compression of all layers; `None` keeps each layer's (`layer.encoding` in force: gzip).
    pub compression: Option<Compression>,
    /// What becomes of attestations and signatures.
    pub attestations: Attestations,
    /// Take input that does not verify.
    pub force: bool,
    /// Keep layers that cannot be written anew as they are.
    pub allow_passthrough: bool,
    /// Take layers whose content cannot be looked into, in the input and in the output.
    pub allow_opaque: bool,
    /// Limits on what the input may ask for.
    pub limits: Limits,
}

impl Options {
    /// The options of a level, with nothing out of the ordinary.
    pub fn new(level: Level, source_date_epoch: Option<i64>) -> Options {
        Options {
            level,
            active: Active::new(level),
            source_date_epoch,
            base: Base::default(),
            layout: None,
            compression: None,
            attestations: Attestations::default(),
            force: false,
            allow_passthrough: false,
            allow_opaque: false,
            limits: Limits::default(),
        }
    }

    /// How input and output are verified.
    fn request(&self) -> Request {
        let verify = verify::Options { allow_opaque: self.allow_opaque, ..verify::Options::default() };
        Request { verify, limits: self.limits.clone(), ..Request::default() }
    }

    fn context(&self) -> Result<Context> {
        let Some(epoch) = self.source_date_epoch else {
            if self.active.limits_times() {
                return Err(Error::usage("limiting times needs a SOURCE_DATE_EPOCH (--sde)"));
            }
            return Ok(Context { epoch: i64::MAX });
        };
        if !(0..=rfc3339::LAST).contains(&epoch) {
            return Err(Error::usage(format!(
                "SOURCE_DATE_EPOCH {epoch} is not between 0 and the end of the year 9999 ({})",
                rfc3339::LAST
            )));
        }
        Ok(Context { epoch })
    }
}

/// Normalises `source` and writes the new archive to `out`, from beginning to end.
///
/// # Errors
/// [`ErrorKind::Usage`] for options that make no sense, [`ErrorKind::Refused`] for input that does not verify (unless
/// forced) or that cannot be rewritten without loss, and what reading and writing can fail with.
pub fn normalize(
    source: &Source,
    options: &Options,
    workers: &Workers,
    observer: &dyn Observer,
    out: &mut dyn Write,
) -> Result<Outcome> {
    let context = options.context()?;
    let request = Request { also: Also { archive: true, ..Also::default() }, ..options.request() };
    inspect::inspect(source, &request, workers, observer, |inspected| {
        Run { inspected, options, context, workers, observer }.run(out)
    })?
}

struct Run<'r> {
    inspected: &'r Inspected<'r>,
    options: &'r Options,
    context: Context,
    workers: &'r Workers,
    observer: &'r dyn Observer,
}

impl Run<'_> {
    fn run(&self, out: &mut dyn Write) -> Result<Outcome> {
        let Run { inspected, options, context, .. } = self;
        let mut ledger = Ledger::default();
        self.verified(&mut ledger)?;
        let treatment = Treatment::new(&options.active, options.compression, *context, &options.limits);
        let layers =
            Layers::rewrite(inspected, options, &treatment, self.workers, self.observer, &mut ledger)?;
        let mut documents = Documents::new(
            inspected.graph,
            &layers,
            &options.active,
            *context,
            &options.base,
            options.attestations,
            &options.limits,
        );
        documents.ledger = ledger;
        let (files, layout) = layout::files(&mut documents, options.layout)?;
        layers.changes(inspected.graph, &documents.rewritten, &mut documents.ledger);
        self.archive_changes(&mut documents, &files);
        let archive = self.write(&documents, &files, out)?;
        inspected.source.unchanged()?;
        let old = inspected.facts.archive;
        let mut ledger = documents.ledger;
        if ledger.has_moved(Rung::Manifest) {
            ledger.note("signatures of the old digests do not apply to the new ones");
        }
        let changed = old != Some(archive) || inspected.source.is_directory();
        if let (Some(old), true) = (old, changed) {
            ledger.moved(Rung::Archive, old, archive);
        }
        let encoders = layers.all_rewritten().map(|layer| layer.recipe.id()).collect();
        let (changes, digests, notes) = ledger.finish();
        Ok(Outcome {
            level: options.level,
            source_date_epoch: options.source_date_epoch,
            layout,
            encoders,
            changed,
            changes,
            digests,
            notes,
            archive,
        })
    }

    /// Refuses input that does not verify, or notes that it was taken all the same.
    fn verified(&self, ledger: &mut Ledger) -> Result<()> {
        let verdict = self.inspected.verdict;
        if verdict.passed() {
            return Ok(());
        }
        let errors = verdict.count(Grade::Error);
        let first = verdict.findings.first().map(ToString::to_string).unwrap_or_default();
        if !self.options.force {
            let message = format!(
                "the input does not verify, {errors} errors (--force takes it all the same): {first}"
            );
            return Err(Error::new(ErrorKind::Refused, message).at(self.inspected.source.location()));
        }
        ledger.note(format!(
            "taken by force although the input does not verify: {errors} errors, first {first}"
        ));
        Ok(())
    }

    /// Notes what changes in the archive as a whole.
    fn archive_changes(&self, documents: &mut Documents<'_>, files: &BTreeMap<Vec<u8>, Content>) {
        let Inspected { graph, source, .. } = self.inspected;
        let referred: HashSet<_> = graph.blobs.iter().filter_map(|blob| blob.entry).collect();
        let all = graph.index.entries.iter().filter(|entry| entry.kind != EntryKind::Directory);
        let unused = all.count().saturating_sub(referred.len());
        documents.ledger.change("archive.unreferenced", layout::ARCHIVE, unused as u64);
        let canonical =
            source.raw_file().is_some_and(|file| archive::is_canonical(source.bytes(file), graph.index));
        // Files that keep their content but not their name: docker-archives name layers in many ways, and what a
        // descriptor embeds need not be a file.
        let renamed = files.iter().any(|(path, content)| match content {
            Content::Same(blob) => {
                graph.blob(*blob).entry.is_none_or(|entry| graph.index.entry(entry).path() != *path)
            }
            _ => false,
        });
        documents.ledger.change("archive.form", layout::ARCHIVE, u64::from(!canonical || renamed));
    }

    fn write(
        &self,
        documents: &Documents<'_>,
        files: &BTreeMap<Vec<u8>, Content>,
        out: &mut dyn Write,
    ) -> Result<Digest> {
        let io = |error| Error::io(Default::default(), "cannot write the archive", error);
        let graph = self.inspected.graph;
        let mut writer = ArchiveWriter::new(Hashing { out, hasher: Hasher::new(Algorithm::Sha256) });
        for (path, content) in files {
            let bytes = documents.bytes(content);
            writer.file(path, bytes.len() as u64).map_err(io)?;
            for chunk in Chunks::of(bytes) {
                if self.observer.cancelled() {
                    return Err(Error::new(ErrorKind::Interrupted, "interrupted"));
                }
                writer.data(bytes.get(chunk.clone()).unwrap_or_default()).map_err(io)?;
                self.release(graph, documents, content, chunk);
            }
        }
        let Hashing { out, hasher } = writer.finish().map_err(io)?;
        out.flush().map_err(io)?;
        Ok(hasher.finish())
    }

    /// Gives the pages of content that was copied back to the system.
    fn release(
        &self,
        graph: &crate::image::ImageGraph<'_>,
        documents: &Documents<'_>,
        content: &Content,
        done: Range<usize>,
    ) {
        let done = done.start.saturating_sub(CHUNK)..done.end;
        match content {
            Content::Same(blob) => {
                if let Some(entry) = graph.blob(*blob).entry.map(|entry| graph.index.entry(entry)) {
                    let at = |offset: usize| entry.range.start.saturating_add(offset);
                    self.inspected.source.release(entry.file, at(done.start)..at(done.end));
                }
            }
            Content::Layer(blob) => {
                if let Some(layer) = documents.layers.rewritten(*blob) {
                    layer.blob.release(done);
                }
            }
            Content::Document(_) => {}
        }
    }
}

/// Bytes that are copied at a time.
const CHUNK: usize = 1 << 20;

/// The ranges in which bytes are copied.
struct Chunks {
    rest: Range<usize>,
}

impl Chunks {
    fn of(bytes: &[u8]) -> Chunks {
        Chunks { rest: 0..bytes.len() }
    }
}

impl Iterator for Chunks {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let start = self.rest.start;
        let end = start.saturating_add(CHUNK).min(self.rest.end);
        self.rest.start = end;
        (start < end).then_some(start..end)
    }
}

/// Copies a range of spooled bytes, and gives their pages back.
fn copy(spool: &Spooled, range: Range<usize>, mut to: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    for chunk in (Chunks { rest: range }) {
        to(spool.get(chunk.clone()).unwrap_or_default())?;
        spool.release(chunk.start.saturating_sub(CHUNK)..chunk.end);
    }
    Ok(())
}

/// Takes a digest of what passes through.
struct Hashing<'h> {
    out: &'h mut dyn Write,
    hasher: Hasher,
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
