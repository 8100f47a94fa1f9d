//! One build from beginning to end: the files it needs, the commands, the image in its place.
//!
//! Knows where things are on disk: a directory of its own beside the output takes what the runtime writes, so that
//! a build that fails leaves nothing behind and an earlier image stays. Must not know any runtime's options.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    environment::System,
    exec::{Executor, Process},
    ignore::{Ignore, exact_line},
    plan::{Dockerfile, Files, plan},
    request::{BuildRequest, Builder, Context},
};
use crate::{
    error::{Error, ErrorKind, Result},
    location::Location,
    observe::Observer,
};

impl Builder {
    /// Builds with the programs of this machine, whose messages go to this process's standard streams. The request that
    /// is given back says where the image is and what was not asked for.
    ///
    /// # Errors
    /// As [`BuildRequest::resolve`] and [`run`].
    pub fn build(&self, observer: &dyn Observer) -> Result<BuildRequest> {
        let request = BuildRequest::resolve(self, &System)?;
        run(&request, &mut Process { observer, announce: &mut |_| {}, path: None })?;
        Ok(request)
    }
}

/// Carries out `request`; afterwards the image is at its output. A dry executor sees the commands, and nothing is
/// written.
///
/// # Errors
/// [`ErrorKind::Child`] with the runtime's own code where it fails, [`ErrorKind::Interrupted`], and
/// [`ErrorKind::NotAnImage`] where the runtime says that all is well but has written nothing. In every case
/// the output is as it was before.
pub fn run(request: &BuildRequest, executor: &mut dyn Executor) -> Result<()> {
    if executor.is_dry() {
        return execute(request, &Files::direct(request), executor);
    }
    let staging = Staging::create(request)?;
    execute(request, &staging.files, executor)?;
    staging.publish(Path::new(&request.output))
}

fn execute(request: &BuildRequest, files: &Files, executor: &mut dyn Executor) -> Result<()> {
    for command in plan(request, files).commands {
        let there = match &command.unless {
            Some(probe) => executor.probe(probe)?.is_some(),
            None => false,
        };
        if !there {
            executor.run(&command.argv, command.on_interrupt.as_deref())?;
        }
    }
    Ok(())
}

impl Files {
    /// The files as the request names them, for showing what would be run: the image straight to its place.
    pub fn direct(request: &BuildRequest) -> Files {
        let container = format!("repro-build-{}", std::process::id());
        Files { output: request.output.clone(), dockerfile: named_dockerfile(request), container }
    }
}

fn named_dockerfile(request: &BuildRequest) -> Option<Dockerfile> {
    let path = request.file.clone()?;
    let local = Path::new(&path).is_absolute();
    let ignore = Some(format!("{path}.dockerignore")).filter(|ignore| local && Path::new(ignore).is_file());
    Some(Dockerfile { path, ignore, local })
}

/// The Dockerfile on this machine, named or the context's own.
pub(super) fn local_dockerfile(request: &BuildRequest) -> Option<PathBuf> {
    match (&request.file, &request.context) {
        (Some(file), _) => Some(PathBuf::from(file)).filter(|file| file.is_absolute()),
        (None, Context::Local(context)) => {
            let own = ["Dockerfile", "dockerfile"].map(|name| Path::new(context).join(name));
            own.into_iter().find(|path| path.is_file())
        }
        (None, Context::Remote(_)) => None,
    }
}

/// The lines of the ignore file that counts for this build (the Dockerfile's own, else the context's), then one for
/// each file that this program itself writes into the context. An image of the last build in the context of the
/// next would make every build different.
pub(super) fn ignore_lines(request: &BuildRequest) -> Result<(Vec<u8>, bool)> {
    let Context::Local(context) = &request.context else { return Ok((Vec::new(), false)) };
    let beside = local_dockerfile(request).map(|mut path| {
        path.as_mut_os_string().push(".dockerignore");
        path
    });
    let general = Path::new(context).join(".dockerignore");
    let mut lines = match beside.into_iter().chain([general]).find(|path| path.is_file()) {
        Some(path) => read(&path)?,
        None => Vec::new(),
    };
    let written = [&request.output].into_iter().chain(&request.leave_out);
    let inside: Vec<String> =
        written.filter_map(|path| inside(Path::new(context), Path::new(path))).collect();
    for path in &inside {
        lines.push(b'\n');
        lines.extend_from_slice(exact_line(path).as_bytes());
    }
    Ok((lines, !inside.is_empty()))
}

pub(super) fn ignore(request: &BuildRequest) -> Result<Ignore> {
    Ok(Ignore::parse(&String::from_utf8_lossy(&ignore_lines(request)?.0)))
}

/// `path` relative to `directory` where it lies inside, links resolved; `path` itself need not exist.
fn inside(directory: &Path, path: &Path) -> Option<String> {
    let parent = path.parent()?.canonicalize().ok()?;
    let relative = parent.strip_prefix(directory.canonicalize().ok()?).ok()?.join(path.file_name()?);
    relative.into_os_string().into_string().ok()
}

/// The directory beside the output that a run writes into; gone when dropped.
struct Staging {
    directory: tempfile::TempDir,
    files: Files,
}

impl Staging {
    fn create(request: &BuildRequest) -> Result<Staging> {
        let output = Path::new(&request.output);
        let parent = output.parent().unwrap_or(output);
        let directory = tempfile::Builder::new()
            .prefix(".repro-build-")
            .tempdir_in(parent)
            .map_err(|error| Error::io(location(parent), "cannot write the image here", error))?;
        let name = directory.path().file_name().unwrap_or_default().to_string_lossy();
        let files = Files {
            output: text(&directory.path().join("image.tar"))?,
            dockerfile: staged_dockerfile(request, directory.path())?,
            container: name.trim_start_matches('.').to_owned(),
        };
        Ok(Staging { directory, files })
    }

    fn publish(self, output: &Path) -> Result<()> {
        let image = Path::new(&self.files.output);
        let written = image.metadata().map_or(0, |metadata| metadata.len());
        if written == 0 {
            let message = "the runtime ended well but wrote no image; see what it said above";
            return Err(Error::new(ErrorKind::NotAnImage, message).at(location(output)));
        }
        let moved =
            fs::File::open(image).and_then(|file| file.sync_all()).and_then(|()| fs::rename(image, output));
        moved.map_err(|error| Error::io(location(output), "cannot move the image into place", error))?;
        self.directory
            .close()
            .map_err(|error| Error::io(location(output), "cannot tidy up beside the image", error))
    }
}

/// The Dockerfile as the run shall read it. Where this program writes into the context, it is a copy, beside which
/// stands an ignore file with more lines: both runtimes take that, and the user's files stay untouched.
fn staged_dockerfile(request: &BuildRequest, staging: &Path) -> Result<Option<Dockerfile>> {
    let (mut lines, needed) = ignore_lines(request)?;
    let Some(source) = local_dockerfile(request).filter(|_| needed) else {
        return Ok(named_dockerfile(request));
    };
    if let Context::Local(context) = &request.context {
        for line in inside(Path::new(context), staging).iter().map(|path| exact_line(path)) {
            lines.push(b'\n');
            lines.extend_from_slice(line.as_bytes());
        }
    }
    lines.push(b'\n');
    let [path, ignore] = ["Dockerfile", "Dockerfile.dockerignore"].map(|name| staging.join(name));
    write(&path, &read(&source)?)?;
    write(&ignore, &lines)?;
    Ok(Some(Dockerfile { path: text(&path)?, ignore: Some(text(&ignore)?), local: true }))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| Error::io(location(path), "cannot read", error))
}

fn write(path: &Path, data: &[u8]) -> Result<()> {
    fs::write(path, data).map_err(|error| Error::io(location(path), "cannot write", error))
}

fn text(path: &Path) -> Result<String> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| {
        Error::usage("this path is not UTF-8, which no container runtime takes").at(location(path))
    })
}

pub(super) fn location(path: &Path) -> Location {
    Location::new(path.as_os_str().as_encoded_bytes())
}
