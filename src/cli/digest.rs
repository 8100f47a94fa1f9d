//! `digest`: one line, for scripts.

use std::path::PathBuf;

use clap::builder::{PossibleValue, TypedValueParser};

use super::{
    args::{Global, Reading, one_of},
    exit::Outcome,
    output,
    progress::Progress,
    remote,
};
use crate::{
    digest::Digest,
    error::{Error, Result},
    inspect::{Also, Inspected, inspect},
    ladder::{Ladder, Rung},
    location::Location,
    measure::Workers,
    verify::Options,
};

/// Print one digest of an image.
///
/// Without --rung it is the digest that `analyze` prints as "Image digest". It is computed from the content; what the
/// content refers to is not verified (see `verify`). The rungs `layer` and `diff-id` are a line for each layer, lowest first,
/// or an error if one of them has none. For an image in a registry it is what the tag points to, or with
/// --platform, that platform's manifest.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  repro-build digest image.tar
  repro-build digest --rung config image.tar
  repro-build digest --platform linux/arm64 registry.example.com/app:1
  repro-build digest docker://debian:12")]
pub(super) struct Args {
    /// Image tarball, layout directory, - for standard input, or an image in a registry
    #[arg(value_name = "FILE|REGISTRY/NAME:TAG")]
    file: PathBuf,
    /// Which rung of the identity ladder
    #[arg(long, value_name = "RUNG", value_parser = rung_parser())]
    rung: Option<Rung>,
    #[command(flatten)]
    reading: Reading,
}

fn rung_parser() -> impl TypedValueParser<Value = Rung> {
    one_of(Rung::ALL.map(|rung| (PossibleValue::new(rung.name()), rung)))
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Outcome> {
    let text = args.file.to_str().unwrap_or_default();
    if let Some(reference) = remote::reference(text) {
        let reading = &args.reading;
        if let Some(flag) = reading.of_files() {
            let message = format!("{flag} says nothing of an image in a registry");
            return Err(Error::usage(message).at(Location::new(reference)));
        }
        let digest = remote::published(reference, args.rung, reading.platform(), &reading.limits())?;
        output::stdout(|out| writeln!(out, "{digest}"))?;
        return Ok(Outcome::Good);
    }
    let source = args.reading.open(&args.file).map_err(|error| remote::not_opened(error, text))?;
    let mut verify = Options::default();
    let wants = |rung| args.rung == Some(rung);
    let layers = wants(Rung::DiffId) || wants(Rung::ChainId);
    // Only what this rung needs is measured: nothing of a large image is read for its manifest's digest.
    let only = match (layers, wants(Rung::Layer)) {
        (true, _) => vec!["layer.decode".to_owned(), "blob.digest".to_owned()],
        (_, true) => vec!["blob.digest".to_owned()],
        _ => vec!["document.field-type".to_owned()],
    };
    verify.selection.only(&only)?;
    let mut request = args.reading.request(verify);
    request.also = Also { archive: wants(Rung::Archive), ..Also::default() };
    let workers = Workers::new(global.threads)?;
    let digests =
        inspect(&source, &request, &workers, &Progress::new(global), |inspected| pick(args, inspected))??;
    output::stdout(|out| digests.iter().try_for_each(|digest| writeln!(out, "{digest}")))?;
    Ok(Outcome::Good)
}

fn pick(args: &Args, inspected: &Inspected<'_>) -> Result<Vec<Digest>> {
    let at = inspected.graph.at.clone();
    // A name may be that of an index with images for several platforms.
    let named_index =
        args.reading.image().is_some() && args.reading.platform().is_none() && inspected.images.len() > 1;
    let default =
        if named_index { Some(Rung::Index) } else { args.reading.narrows().then_some(Rung::Manifest) };
    let Some(rung) = args.rung.or(default) else {
        let why = if inspected.graph.root.is_none() {
            "no index.json"
        } else {
            "index.json names nothing that is here"
        };
        let message = format!("{why}, so no image digest; ask for --rung config (the image ID)");
        return inspected.headline().map(|digest| vec![digest]).ok_or_else(|| Error::usage(message).at(at));
    };
    if rung == Rung::Archive {
        let message = "a directory has no digest of its own";
        return inspected
            .facts
            .archive
            .map(|digest| vec![digest])
            .ok_or_else(|| Error::usage(message).at(at));
    }
    let on_rung = |ladder: &Ladder| -> Vec<Digest> {
        ladder.rungs().filter(|(r, _)| *r == rung).map(|(_, digest)| digest).collect()
    };
    let [image, others @ ..] = inspected.images else {
        return Err(Error::usage("the archive names no image").at(at));
    };
    let ladder = inspected.ladder(image);
    let digests = on_rung(&ladder);
    if others.iter().any(|other| on_rung(&inspected.ladder(other)) != digests) {
        let images = inspected.images.len();
        let message = format!("{images} images in the archive; choose with --image or --platform");
        return Err(Error::usage(message).at(at));
    }
    if digests.is_empty() {
        return Err(Error::usage(format!("the image has no {} digest", rung.name())).at(at));
    }
    // Scripts count the lines: one that is left out would make each later one another layer's.
    let gap = match rung {
        Rung::Layer => ladder.layers.iter().position(Option::is_none),
        Rung::DiffId => ladder.diff_ids.iter().position(Option::is_none),
        _ => None,
    };
    if let Some(gap) = gap {
        let (number, rung) = (gap.saturating_add(1), rung.name());
        let message = format!("layer {number} has no {rung} digest: it is not here, or cannot be decoded");
        return Err(Error::usage(message).at(image.layers.get(gap).map_or(at, |layer| layer.at.clone())));
    }
    Ok(digests)
}
