//! The pipeline from an opened source to a verdict: index, resolve, plan, measure, judge.
//!
//! The one way through for every command that reads an image. Must not open files or print.

use crate::{
    archive::{self, Entry, EntryIndex, Source},
    digest::Digest,
    error::{Error, ErrorKind, Result},
    image::{self, FaultKind, Image, ImageGraph},
    ladder::{self, Ladder},
    limits::Limits,
    measure::{self, Facts, Workers},
    observe::Observer,
    stack,
    tar::End,
    verify::{self, Case, Verdict},
};

/// What to do with a source.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// What to verify against.
    pub verify: verify::Options,
    /// Limits on what the input may ask for.
    pub limits: Limits,
    /// Only this image: a name, a digest (or the beginning of one) or a number counted from 1.
    pub image: Option<String>,
    /// Only images of this platform.
    pub platform: Option<image::Platform>,
    /// Measure more than the checks need.
    pub also: Also,
}

/// What to measure beyond what the checks need.
#[derive(Clone, Copy, Debug, Default)]
pub struct Also {
    /// The input file's own digest.
    pub archive: bool,
    /// Every member of every layer.
    pub listing: bool,
    /// SHA-256 of every regular file.
    pub file_digests: bool,
}

/// All that is known of one input.
pub struct Inspected<'i> {
    /// The input.
    pub source: &'i Source,
    /// Its documents.
    pub graph: &'i ImageGraph<'i>,
    /// The images that were asked for.
    pub images: &'i [&'i Image],
    /// What was measured.
    pub facts: &'i Facts,
    /// What is wrong with it.
    pub verdict: &'i Verdict,
}

impl Inspected<'_> {
    /// The ladder of an image.
    pub fn ladder(&self, image: &Image) -> Ladder {
        ladder::ladder(self.graph, self.facts, image)
    }

    /// The digest that stands for the whole input: the first manifest or index that `index.json` names.
    pub fn headline(&self) -> Option<Digest> {
        ladder::headline(self.graph)
    }
}

/// Inspects `source` and hands the result to `then`, which borrows from it.
///
/// # Errors
/// [`ErrorKind::NotAnImage`] if there is nothing of an image in it, [`ErrorKind::Usage`] if no image matches, and what
/// measuring can fail with. A wrong image is no error: the verdict says what is wrong.
pub fn inspect<T>(
    source: &Source,
    request: &Request,
    workers: &Workers,
    observer: &dyn Observer,
    then: impl FnOnce(&Inspected<'_>) -> T,
) -> Result<T> {
    with_graph(source, &request.limits, |graph| {
        let images = select(graph, request)?;
        let mut needs = request.verify.needs();
        needs.archive |= request.also.archive;
        needs.listing |= request.also.listing;
        needs.file_digests |= request.also.file_digests;
        let plan = measure::plan(graph, &images, needs);
        let facts = measure::run(&plan, graph, source, &request.limits, workers, observer)?;
        let case = Case { graph, facts: &facts, images: &images, options: &request.verify };
        let verdict = verify::verify(&case);
        Ok(then(&Inspected { source, graph, images: &images, facts: &facts, verdict: &verdict }))
    })?
}

/// Reads the documents of `source` and nothing more.
///
/// # Errors
/// [`ErrorKind::NotAnImage`] if there is nothing of an image in it.
pub fn with_graph<T>(source: &Source, limits: &Limits, then: impl FnOnce(&ImageGraph<'_>) -> T) -> Result<T> {
    let index = EntryIndex::of_source(source, limits);
    let graph = image::resolve(&index, source.location(), limits);
    if is_no_image(&graph) {
        return Err(Error::new(ErrorKind::NotAnImage, why_no_image(&graph)).at(source.location()));
    }
    Ok(then(&graph))
}

/// What a source turns out to hold when it is looked for images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// An image, whole or not.
    Image,
    /// A tar archive that was read to its end and has nothing of an image in it.
    OtherTar,
    /// A tar archive that breaks off before anything of an image was seen.
    DamagedTar,
    /// No tar archive, as far as can be read.
    NoTar,
}

/// What `source` holds, by its documents alone.
pub fn content(source: &Source, limits: &Limits) -> Content {
    let index = EntryIndex::of_source(source, limits);
    let graph = image::resolve(&index, source.location(), limits);
    let ended = index.outcome.is_some_and(|outcome| matches!(outcome.end, End::Marker | End::HalfMarker));
    match (is_no_image(&graph), index.entries.is_empty()) {
        (false, _) => Content::Image,
        (true, true) => Content::NoTar,
        (true, false) if ended && source.outer_fault().is_none() => Content::OtherTar,
        (true, false) => Content::DamagedTar,
    }
}

/// Neither document is there, nor anything else of a layout, nor a sign that there is more than could be read.
fn is_no_image(graph: &ImageGraph<'_>) -> bool {
    let index = graph.index;
    let documents = graph.faults.iter().all(|fault| fault.kind != FaultKind::NoIndex);
    let broken_off = index.outcome.is_some_and(|outcome| outcome.end == End::Failed && outcome.members > 0)
        || index.faults.iter().any(|fault| fault.kind == archive::FaultKind::OuterDamaged);
    !documents && !broken_off && !index.has_below("blobs") && !index.entries.iter().any(is_document)
}

/// Whether an entry has the name of a document, as readers see it that take absolute names and `..` for names in the
/// archive.
fn is_document(entry: &Entry) -> bool {
    matches!(stack::path_of(&entry.name).as_slice(), b"index.json" | b"manifest.json" | b"oci-layout")
}

fn why_no_image(graph: &ImageGraph<'_>) -> String {
    if graph.index.entries.is_empty() {
        return "not a tar archive, plain or compressed with gzip, zstd, xz or bzip2".to_owned();
    }
    let first = graph.index.entries.first().map(|entry| crate::escape::escape(&entry.name).into_owned());
    format!(
        "a tar archive of {} entries ({}, …), but no container image: no index.json, no manifest.json",
        graph.index.entries.len(),
        first.unwrap_or_default()
    )
}

/// The images a request asks for.
///
/// # Errors
/// [`ErrorKind::Usage`] if there is none.
pub(crate) fn select<'g>(graph: &'g ImageGraph<'_>, request: &Request) -> Result<Vec<&'g Image>> {
    let mut images: Vec<&Image> = graph.images.iter().collect();
    if let Some(wanted) = &request.image {
        images = by_name(&images, wanted);
        if images.is_empty() {
            let names: Vec<&str> =
                graph.images.iter().flat_map(|image| &image.names).map(String::as_str).collect();
            let known = crate::escape::escape(names.join(", ").as_bytes()).into_owned();
            let known = if known.is_empty() { String::new() } else { format!("; names in it: {known}") };
            let message =
                format!("no image {} in the archive{known}", crate::escape::escape(wanted.as_bytes()));
            return Err(Error::usage(message).at(graph.at.clone()));
        }
    }
    if let Some(platform) = &request.platform {
        images.retain(|image| image.platform.as_ref().is_some_and(|p| p.matches(platform)));
        if images.is_empty() {
            return Err(Error::usage(format!("no image for {platform} in the archive")).at(graph.at.clone()));
        }
    }
    Ok(images)
}

/// The images of this name or digest; where none is, the one of this number. Tags may be numbers.
fn by_name<'g>(images: &[&'g Image], wanted: &str) -> Vec<&'g Image> {
    let hex = wanted.strip_prefix("sha256:").unwrap_or(wanted).to_ascii_lowercase();
    let digest =
        |image: &Image| hex.len() >= 6 && image.digest.is_some_and(|digest| digest.hex().starts_with(&hex));
    let named = |image: &Image| {
        image.names.iter().any(|name| name == wanted || name.ends_with(&format!("/{wanted}")))
    };
    let found: Vec<&Image> = images.iter().copied().filter(|image| named(image) || digest(image)).collect();
    if !found.is_empty() {
        return found;
    }
    let number = wanted.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    number.and_then(|number| images.get(number)).copied().into_iter().collect()
}
