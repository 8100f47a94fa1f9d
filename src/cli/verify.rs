//! `verify`: many inputs, one verdict each.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::{
    args::{Global, Verifying},
    exit::Outcome,
    inputs::{Inputs, Task},
    progress::Progress,
    remote::{self, Expected},
    reports, stop,
};
use crate::{
    digest::Digest,
    error::{ErrorKind, Result},
    inspect::inspect,
    measure::Workers,
    observe::Observer,
    policy::Policy,
    report::{
        Reports,
        wire::{self, Outcome as Fared},
    },
};

/// Verify image tarballs: every digest, size, layer and document.
///
/// One line each says PASS or FAIL, with the reasons below it, in the order of the inputs and as soon as they are known.
/// One bad input does not stop the others.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  repro-build verify image.tar
  repro-build verify --expect sha256:… image.tar
  repro-build verify --only 'blob.*' archive/*.tar
  repro-build verify --report junit=tests.xml --report sarif=findings.sarif archive/
  repro-build verify --shard 3/8 --format ndjson archive/ > 3.ndjson   # then: repro-build merge *.ndjson
  skopeo copy docker://… oci-archive:/dev/stdout | repro-build verify -")]
pub(super) struct Args {
    #[command(flatten)]
    inputs: Inputs,
    /// A digest, or an image in a registry (its host may be left out after docker://), that must be on some rung of the image's ladder; may be repeated
    #[arg(long, value_name = "DIGEST|REGISTRY/NAME:TAG", value_parser = remote::parse_expected)]
    expect: Vec<Expected>,
    /// Report the digest of each input file itself, which format sha256sum needs, when `merge` writes it too
    #[arg(long)]
    archive_digests: bool,
    /// Stop at the first input that fails
    #[arg(long)]
    fail_fast: bool,
    #[command(flatten)]
    verifying: Verifying,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Outcome> {
    stop::soon();
    let Verifying { reporting, reading, .. } = &args.verifying;
    args.verifying.check()?;
    let platform = reading.platform();
    let expect = args
        .expect
        .iter()
        .map(|expected| expected.resolve(None, platform, &reading.limits()))
        .collect::<Result<Vec<_>>>()?;
    let found = args.inputs.find(reading, global)?;
    let named = found.iter().map(|task| task.path.as_path()).chain(args.inputs.lists());
    let outputs = reports::of_verification(&args.verifying, named, global)?;
    let (tasks, header) = args.inputs.share("verify", found)?;
    let archive_digests = args.archive_digests || reporting.archive_digest();
    let header = wire::Header { archive_digests, ..header };
    let (workers, progress) =
        (Workers::new(global.threads)?.remembering(), Progress::new(global).of_inputs(tasks.len()));
    let line = Mutex::new(Line {
        reports: Reports::begin(header, outputs)?,
        next: 0,
        waiting: BTreeMap::new(),
        ended: Ok(()),
        stopped: false,
    });
    let run = Run { args, expect: &expect, archive_digests, workers: &workers };
    workers.map(&order(&tasks, workers.threads()), |_, (i, task)| {
        let i = *i;
        if line.lock().unwrap_or_else(PoisonError::into_inner).stopped {
            return;
        }
        let input = run.one(task, &progress.of_input(i));
        progress.done(i);
        let mut line = line.lock().unwrap_or_else(PoisonError::into_inner);
        progress.write(|| line.take(i, input, args.fail_fast));
    });
    drop(progress);
    let line = line.into_inner().unwrap_or_else(PoisonError::into_inner);
    line.ended?;
    Ok(Outcome::of(&line.reports.end()?))
}

/// Archives up to this size are begun in the order they were given in.
const USUAL: u64 = 64 << 20;

/// In which order the inputs are begun: large ones first, so that none of them is what all threads but one wait for in
/// the end. A single thread takes them as they come: every result is then there as soon as it can be.
fn order(tasks: &[Task], threads: usize) -> Vec<(usize, &Task)> {
    let mut order: Vec<(usize, &Task)> = tasks.iter().enumerate().collect();
    if threads == 1 {
        return order;
    }
    let size = |task: &Task| std::fs::metadata(&task.path).map_or(0, |meta| meta.len());
    order.sort_by_cached_key(|(_, task)| std::cmp::Reverse(size(task).max(USUAL)));
    order
}

/// Results on their way into the reports: each waits until all before it are there.
struct Line<'w> {
    reports: Reports<'w>,
    next: usize,
    waiting: BTreeMap<usize, Result<wire::Input>>,
    ended: Result<()>,
    stopped: bool,
}

impl Line<'_> {
    fn take(&mut self, i: usize, input: Result<wire::Input>, fail_fast: bool) {
        self.waiting.insert(i, input);
        while let Some(input) = self.waiting.remove(&self.next).filter(|_| !self.stopped) {
            self.next += 1;
            let failed = input.as_ref().is_ok_and(|input| input.outcome != Fared::Pass);
            self.ended = input.and_then(|input| self.reports.input(input));
            self.stopped = self.ended.is_err() || failed && fail_fast;
        }
    }
}

/// What every input is verified with.
struct Run<'r> {
    args: &'r Args,
    expect: &'r [Digest],
    archive_digests: bool,
    workers: &'r Workers,
}

impl Run<'_> {
    /// Verifies one input. Only being stopped ends the whole run.
    fn one(&self, task: &Task, observer: &dyn Observer) -> Result<wire::Input> {
        let (policy, judged) = match self.args.verifying.judging.policy(&task.path) {
            Ok(policy) => {
                let judged = self.judge(task, policy.as_ref().map(|(policy, _)| policy), observer);
                (policy, judged)
            }
            Err(error) => (None, Err(error)),
        };
        let mut input = match judged {
            Err(error) if error.kind == ErrorKind::Interrupted => return Err(error),
            Err(error) => wire::Input::unreadable(task.path.as_os_str().as_encoded_bytes(), &error),
            Ok(input) => input,
        };
        input.position = task.position;
        if let Some((policy, file)) = &policy {
            input.held_to(policy, file);
        }
        Ok(input)
    }

    fn judge(&self, task: &Task, policy: Option<&Policy>, observer: &dyn Observer) -> Result<wire::Input> {
        let expect = self.expect.to_vec();
        let (source, mut request) = self.args.verifying.open(&task.path, policy, expect)?;
        request.verify.expect_archive = task.sum;
        request.also.archive = self.archive_digests;
        inspect(&source, &request, self.workers, observer, wire::Input::of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_large_inputs_are_begun_before_their_turn() {
        let folder = tempfile::tempdir().unwrap();
        let sizes = [3, 1, USUAL - 1, USUAL + 1, 2, 40 * USUAL, 7];
        let task = |(position, size): (usize, u64)| {
            let path = folder.path().join(position.to_string());
            std::fs::File::create(&path).unwrap().set_len(size).unwrap();
            Task { position, path, sum: None }
        };
        let mut tasks: Vec<Task> = (1..).zip(sizes).map(task).collect();
        tasks.push(Task { position: 8, path: "-".into(), sum: None });
        for (threads, expected) in [(2, [6, 4, 1, 2, 3, 5, 7, 8]), (1, [1, 2, 3, 4, 5, 6, 7, 8])] {
            let begun = order(&tasks, threads);
            assert!(begun.iter().all(|(i, task)| i + 1 == task.position));
            assert_eq!(begun.iter().map(|(_, task)| task.position).collect::<Vec<_>>(), expected);
        }
    }
}
