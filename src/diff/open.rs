//! Opening two inputs: which images are compared, which layers must be looked into, and one pass over those.
//!
//! Layers with the same bytes are never opened, those with the same diff_id decoded once to prove it and not walked.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    Diff, Options, Relation, compare, content,
    pair::Pairing,
    side::{Opened, Outer, Pairs, Side, claimed, pair_layers},
    subjects::Subjects,
};
use crate::{
    archive::Source,
    codec,
    digest::{DiffId, Hasher},
    error::{Error, ErrorKind, Result},
    grade::Grade,
    image::{BlobId, DocId, Image, ImageGraph, ImageKind, Platform},
    inspect::{self, Request},
    limits::Limits,
    measure::{self, Facts, Needs, Workers},
    observe::Observer,
    tar::{Anomaly, Member, Sink, Walker},
    verify::{self, Case, Setting, Stage},
};

/// One side of a comparison.
#[derive(Clone, Debug)]
pub struct Input<'i> {
    /// What holds it.
    pub source: &'i Source,
    /// Only this image: a platform, a name, a digest or a number. All of them without it.
    pub image: Option<String>,
    /// Only images of this platform.
    pub platform: Option<Platform>,
}

/// Compares two inputs.
///
/// # Errors
/// What reading and measuring can fail with; [`ErrorKind::Usage`] where an image that was asked for is not there.
pub fn run(
    left: &Input<'_>,
    right: &Input<'_>,
    options: &Options,
    limits: &Limits,
    workers: &Workers,
    observer: &dyn Observer,
) -> Result<Diff> {
    let job = Job { options, limits, workers, observer };
    inspect::with_graph(left.source, limits, |l| {
        inspect::with_graph(right.source, limits, |r| job.between((left, l), (right, r)))
    })??
}

struct Job<'j> {
    options: &'j Options,
    limits: &'j Limits,
    workers: &'j Workers,
    observer: &'j dyn Observer,
}

/// One side, before anything of it is measured.
struct Chosen<'c> {
    input: &'c Input<'c>,
    graph: &'c ImageGraph<'c>,
    images: Vec<&'c Image>,
    subjects: Subjects<'c>,
    narrowed: bool,
}

impl Job<'_> {
    fn between(
        &self,
        left: (&Input<'_>, &ImageGraph<'_>),
        right: (&Input<'_>, &ImageGraph<'_>),
    ) -> Result<Diff> {
        let (mut left, mut right) = (choose(left.0, left.1)?, choose(right.0, right.1)?);
        narrow(&mut left, &right);
        narrow(&mut right, &left);
        let pairs = pair_images(&left, &right);
        let relations = self.relations(&left, &right, &pairs)?;
        let sides = [
            (&left, self.opens(&left, &right, &pairs, &relations, true)),
            (&right, self.opens(&left, &right, &pairs, &relations, false)),
        ];
        let measured = self.workers.map(&sides, |_, (side, opens)| self.measure(side, opens));
        let [facts_left, facts_right]: [Facts; 2] = measured
            .into_iter()
            .collect::<Result<Vec<Facts>>>()?
            .try_into()
            .map_err(|_| Error::new(ErrorKind::Interrupted, "interrupted"))?;
        let (left, right) = (self.side(&left, &facts_left), self.side(&right, &facts_right));
        let mut diff = compare::compare(
            &Opened { left: &left, right: &right, pairs: &pairs, relations: &relations },
            self.options,
        );
        self.contents(&mut diff, left.graph, right.graph);
        Ok(diff)
    }

    fn side<'s>(&self, chosen: &'s Chosen<'s>, facts: &'s Facts) -> Side<'s> {
        let source = chosen.input.source;
        let outer = chosen.graph.index.outcome.map(|outcome| {
            let mut collector = Collector::default();
            let archive = source.bytes(0);
            let walked = usize::try_from(outcome.bytes.total()).unwrap_or(archive.len());
            Walker::walk(self.limits, archive.get(..walked).unwrap_or(archive), &mut collector);
            Outer { members: collector.0, outcome }
        });
        let mut name = source.name().to_owned();
        if let Some(image) = &chosen.input.image {
            name.extend_from_slice(format!("#{image}").as_bytes());
        }
        let errors = verify_documents(chosen, facts);
        Side {
            name,
            source,
            graph: chosen.graph,
            images: &chosen.images,
            facts,
            subjects: &chosen.subjects,
            narrowed: chosen.narrowed,
            outer,
            errors,
        }
    }

    fn measure(&self, side: &Chosen<'_>, opens: &BTreeSet<BlobId>) -> Result<Facts> {
        let needs = Needs {
            digests: true,
            layers: true,
            archive: true,
            listing: true,
            file_digests: true,
            source_date_epoch: None,
        };
        let plan = measure::plan_only(side.graph, &side.images, needs, |blob| opens.contains(&blob));
        measure::run(&plan, side.graph, side.input.source, self.limits, self.workers, self.observer)
    }

    /// How layers relate whose configurations claim one diff_id: by their bytes, else by decoding both.
    fn relations(
        &self,
        left: &Chosen<'_>,
        right: &Chosen<'_>,
        pairs: &Pairs,
    ) -> Result<HashMap<(BlobId, BlobId), Relation>> {
        let mut relations = HashMap::new();
        let mut unproven: BTreeMap<(BlobId, BlobId), DiffId> = BTreeMap::new();
        for (l, r) in pairs.both(&left.images, &right.images) {
            let pairing = pair_layers((left.graph, l), (right.graph, r), self.options.layer_match);
            for (i, j) in pairing.joined() {
                let blob = |image: &Image, at: usize| image.layers.get(at).and_then(|layer| layer.blob);
                let (Some(a), Some(b)) = (blob(l, i), blob(r, j)) else { continue };
                let (claimed_left, claimed_right) = (claimed(left.graph, l, i), claimed(right.graph, r, j));
                if left.graph.content(a) == right.graph.content(b) {
                    relations.insert((a, b), Relation::Same);
                } else if let Some(claim) = claimed_left.filter(|_| claimed_left == claimed_right) {
                    unproven.insert((a, b), claim);
                }
            }
        }
        let unproven: Vec<((BlobId, BlobId), DiffId)> = unproven.into_iter().collect();
        let proofs = self.workers.map(&unproven, |_, ((a, b), claim)| {
            self.decodes_to(left.graph.content(*a), *claim)
                && self.decodes_to(right.graph.content(*b), *claim)
        });
        if self.observer.cancelled() {
            return Err(Error::new(ErrorKind::Interrupted, "interrupted"));
        }
        let proven = unproven.into_iter().zip(proofs).filter(|(_, proven)| *proven);
        relations.extend(proven.map(|((blobs, _), _)| (blobs, Relation::Repacked)));
        Ok(relations)
    }

    /// Whether a blob's decoded bytes have the digest that is claimed of them.
    fn decodes_to(&self, packed: &[u8], claim: DiffId) -> bool {
        const WINDOW: usize = 256 << 10;
        let mut hasher = Hasher::new(claim.0.algorithm());
        let mut decoder = codec::decoder(codec::sniff(packed), packed, self.limits);
        let mut window = vec![0; WINDOW];
        while !self.observer.cancelled() {
            match decoder.fill(&mut window) {
                Ok(0) => return DiffId(hasher.finish()) == claim,
                Ok(n) => hasher.update(window.get(..n).unwrap_or_default()),
                Err(_) => return false,
            }
        }
        false
    }

    /// The layers of one side that must be listed.
    fn opens(
        &self,
        left: &Chosen<'_>,
        right: &Chosen<'_>,
        pairs: &Pairs,
        relations: &HashMap<(BlobId, BlobId), Relation>,
        of_left: bool,
    ) -> BTreeSet<BlobId> {
        let mut opens = BTreeSet::new();
        // What lies at the bottom of both counts in merged file systems too: one listing of it does for both sides.
        let settled_counts = self.options.merged && of_left;
        for (l, r) in pairs.iter(&left.images, &right.images) {
            let image = if of_left { l } else { r };
            let Some(image) = image else { continue };
            let mut settled = vec![false; image.layers.len()];
            if let (Some(l), Some(r)) = (l, r) {
                for (i, j) in
                    pair_layers((left.graph, l), (right.graph, r), self.options.layer_match).joined()
                {
                    let blob = |image: &Image, at: usize| image.layers.get(at).and_then(|layer| layer.blob);
                    let related =
                        blob(l, i).zip(blob(r, j)).is_some_and(|blobs| relations.contains_key(&blobs));
                    if let Some(slot) = settled.get_mut(if of_left { i } else { j }) {
                        *slot = related && !settled_counts;
                    }
                }
            }
            let open = image.layers.iter().zip(settled).filter(|(_, settled)| !settled);
            opens.extend(open.filter_map(|(layer, _)| layer.blob));
        }
        opens
    }

    /// Looks at the contents of files that differ.
    fn contents(&self, diff: &mut Diff, left: &ImageGraph<'_>, right: &ImageGraph<'_>) {
        let mut wanted: BTreeMap<(bool, BlobId), Vec<u64>> = BTreeMap::new();
        for (l, r) in diff.entries_mut().filter_map(|entry| entry.data).take(content::FILES) {
            wanted.entry((true, l.0)).or_default().push(l.1);
            wanted.entry((false, r.0)).or_default().push(r.1);
        }
        let wanted: Vec<((bool, BlobId), Vec<u64>)> = wanted.into_iter().collect();
        let read = self.workers.map(&wanted, |_, ((of_left, blob), at)| {
            content::read(if *of_left { left } else { right }, *blob, at, self.limits)
        });
        let read: HashMap<(bool, BlobId), content::Beginnings> =
            wanted.iter().map(|(key, _)| *key).zip(read).collect();
        let beginning = |of_left, (blob, at)| read.get(&(of_left, blob))?.get(&at);
        for entry in diff.entries_mut() {
            let both = entry.data.and_then(|(l, r)| beginning(true, l).zip(beginning(false, r)));
            entry.content = both.map(|(l, r)| content::compare(l, r, self.options.content_lines));
        }
    }
}

/// The images an input stands for.
fn choose<'c>(input: &'c Input<'c>, graph: &'c ImageGraph<'c>) -> Result<Chosen<'c>> {
    let mut request = Request { platform: input.platform.clone(), ..Request::default() };
    if let Some(text) = &input.image {
        let known = |platform: &Platform| {
            graph.images.iter().any(|image| image.platform.as_ref().is_some_and(|p| p.matches(platform)))
        };
        match Platform::parse(text).filter(known) {
            Some(platform) => request.platform = Some(platform),
            None => request.image = Some(text.clone()),
        }
    }
    let images = inspect::select(graph, &request)?;
    let subjects = Subjects::new(graph);
    Ok(Chosen { input, graph, images, subjects, narrowed: input.image.is_some() || input.platform.is_some() })
}

/// Where the other side is one image of several, only those of its platform can be meant here.
fn narrow(side: &mut Chosen<'_>, other: &Chosen<'_>) {
    if side.narrowed || !other.narrowed {
        return;
    }
    let platforms: Vec<&Platform> = other.images.iter().filter_map(|image| image.platform.as_ref()).collect();
    let of_platform: Vec<&Image> = side
        .images
        .iter()
        .filter(|image| image.platform.as_ref().is_some_and(|platform| platforms.contains(&platform)))
        .copied()
        .collect();
    side.narrowed = true;
    if !of_platform.is_empty() {
        side.images = of_platform;
    }
}

/// Which images belong together: those of one platform and name, then those of the same bytes, then those of one
/// platform; attestations follow what they are about.
fn pair_images(left: &Chosen<'_>, right: &Chosen<'_>) -> Pairs {
    let mut pairing = Pairing::new(left.images.len(), right.images.len());
    type Named<'n> = (u8, Option<&'n Platform>, &'n str);
    fn named<'c>(side: &Chosen<'c>) -> Vec<Option<Named<'c>>> {
        let key = |image: &&'c Image| {
            image.names.first().map(|name| (image.kind as u8, image.platform.as_ref(), name.as_str()))
        };
        side.images.iter().map(key).collect()
    }
    fn raw<'c>(side: &Chosen<'c>, document: fn(&Image) -> Option<DocId>) -> Vec<Option<&'c [u8]>> {
        side.images.iter().map(|image| document(image).map(|id| side.graph.raw(id))).collect()
    }
    fn platforms<'c>(
        side: &Chosen<'c>,
        kind: fn(ImageKind) -> bool,
    ) -> Vec<Option<(u8, Option<&'c Platform>)>> {
        let key = |image: &&'c Image| kind(image.kind).then_some((image.kind as u8, image.platform.as_ref()));
        side.images.iter().map(key).collect()
    }
    pairing.by_key(named(left), named(right));
    pairing.by_key(raw(left, |image| image.manifest), raw(right, |image| image.manifest));
    let config = |image: &Image| image.config.filter(|_| image.kind == ImageKind::Image);
    pairing.by_key(raw(left, config), raw(right, config));
    let is_image = |kind| kind == ImageKind::Image;
    pairing.by_key(platforms(left, is_image), platforms(right, is_image));
    let numbers: Vec<(usize, usize)> = pairing.joined().collect();
    let about = |side: &Chosen<'_>, of: fn(&(usize, usize)) -> usize| -> Vec<Option<(u8, usize)>> {
        let key = |image: &&Image| {
            let subject = side.subjects.position(image, &side.images)?;
            Some((image.kind as u8, numbers.iter().position(|pair| of(pair) == subject)?))
        };
        side.images.iter().map(key).collect()
    };
    pairing.by_key(about(left, |pair| pair.0), about(right, |pair| pair.1));
    pairing.by_key(platforms(left, |_| true), platforms(right, |_| true));
    if let ([l], [r]) = (pairing.lone_left().as_slice(), pairing.lone_right().as_slice()) {
        let same_kind = left.images.get(*l).zip(right.images.get(*r)).is_some_and(|(l, r)| l.kind == r.kind);
        let _ = same_kind && pairing.join(*l, *r);
    }
    Pairs(pairing)
}

/// What is wrong with an input, layers not looked into.
fn verify_documents(side: &Chosen<'_>, facts: &Facts) -> Vec<String> {
    let mut options = verify::Options::default();
    for check in verify::checks().iter().filter(|check| check.stage == Stage::Layers) {
        // An id is a glob that matches itself.
        let _ = options.selection.add(check.id, Setting::Skip);
    }
    let case = Case { graph: side.graph, facts, images: &side.images, options: &options };
    let findings = verify::verify(&case).findings;
    findings.iter().filter(|finding| finding.grade == Grade::Error).map(ToString::to_string).collect()
}

/// Collects the members of an outer tar.
#[derive(Default)]
struct Collector(Vec<Member>);

impl Sink for Collector {
    fn member(&mut self, member: Member) {
        self.0.push(member);
    }

    fn anomaly(&mut self, _: Anomaly) {}
}
