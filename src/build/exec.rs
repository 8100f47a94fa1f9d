//! Carrying commands out: for real, or only noting them.
//!
//! Knows processes and signals. Must not know what the commands mean.

use std::{
    ffi::OsString,
    io::{self, Read as _, Seek as _},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::command::shell_line;
use crate::{
    error::{Error, ErrorKind, Result},
    escape::escape,
    observe::Observer,
};

/// Carries commands out.
pub trait Executor {
    /// Runs `argv` with this process's standard streams and waits for its end. Anything but success is an error.
    /// When the user interrupts, the command is ended, with the help of `on_interrupt` where there is one.
    fn run(&mut self, argv: &[String], on_interrupt: Option<&[String]>) -> Result<()>;

    /// Runs `argv` unseen; its standard output if it ended well.
    fn probe(&mut self, argv: &[String]) -> Result<Option<String>>;

    /// Whether nothing is really run, so that no output can be expected.
    fn is_dry(&self) -> bool;
}

/// Notes commands instead of running them.
#[derive(Clone, Debug, Default)]
pub struct DryRun {
    /// What would have been run, in order.
    pub commands: Vec<Vec<String>>,
}

impl Executor for DryRun {
    fn run(&mut self, argv: &[String], _: Option<&[String]>) -> Result<()> {
        self.commands.push(argv.to_vec());
        Ok(())
    }

    fn probe(&mut self, argv: &[String]) -> Result<Option<String>> {
        self.commands.push(argv.to_vec());
        Ok(None)
    }

    fn is_dry(&self) -> bool {
        true
    }
}

/// Runs real processes.
pub struct Process<'a> {
    /// Asked whether the user interrupted.
    pub observer: &'a dyn Observer,
    /// Told each command line before it is run.
    pub announce: &'a mut dyn FnMut(&str),
    /// Where programs are looked for, if not in this process's PATH.
    pub path: Option<OsString>,
}

/// How long an interrupted command is given before it is asked more firmly.
const GRACE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);

impl Executor for Process<'_> {
    fn run(&mut self, argv: &[String], on_interrupt: Option<&[String]>) -> Result<()> {
        (self.announce)(&shell_line(argv));
        let mut child = self.command(argv).spawn().map_err(|error| cannot_run(argv, error))?;
        let (status, interrupted) = self.wait(argv, &mut child, on_interrupt)?;
        if status.success() {
            return Ok(());
        }
        if interrupted || by_interrupt(status) {
            return Err(was_interrupted(argv));
        }
        let name = argv.first().map_or("", String::as_str);
        let (kind, how) = match status.code() {
            Some(code) => (ErrorKind::Child(code), format!("ended with exit code {code}")),
            None => {
                let signal = signal(status);
                (ErrorKind::Child(128 + signal), format!("was ended by signal {signal}"))
            }
        };
        Err(Error::new(kind, format!("{} {how}", escape(name.as_bytes()))))
    }

    fn probe(&mut self, argv: &[String]) -> Result<Option<String>> {
        (self.announce)(&shell_line(argv));
        // A file, not a pipe: whatever the program leaves running may keep that open.
        let mut answer = tempfile::tempfile().map_err(|error| cannot_run(argv, error))?;
        let writer = answer.try_clone().map_err(|error| cannot_run(argv, error))?;
        let mut command = self.command(argv);
        command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| cannot_run(argv, error))?;
        let (status, interrupted) = self.wait(argv, &mut child, None)?;
        if interrupted || by_interrupt(status) {
            return Err(was_interrupted(argv));
        }
        let mut text = Vec::new();
        answer
            .rewind()
            .and_then(|()| answer.read_to_end(&mut text))
            .map_err(|error| cannot_run(argv, error))?;
        Ok(status.success().then(|| String::from_utf8_lossy(&text).into_owned()))
    }

    fn is_dry(&self) -> bool {
        false
    }
}

impl Process<'_> {
    fn command(&self, argv: &[String]) -> Command {
        let mut words = argv.iter();
        let mut command = Command::new(words.next().map_or("", String::as_str));
        command.args(words);
        if let Some(path) = &self.path {
            command.env("PATH", path);
        }
        command
    }

    /// Waits for the child; on an interrupt asks it to end, in three ever firmer ways.
    fn wait(
        &self,
        argv: &[String],
        child: &mut Child,
        on_interrupt: Option<&[String]>,
    ) -> Result<(ExitStatus, bool)> {
        let mut requests = [Request::Interrupt, Request::Terminate, Request::Kill].into_iter();
        let mut next = None;
        // Best effort: what matters is that the command itself ends, which is waited for.
        let mut helper = Helper(None);
        loop {
            if let Some(status) = child.try_wait().map_err(|error| cannot_run(argv, error))? {
                helper.finish(self.observer);
                return Ok((status, next.is_some()));
            }
            let due = next.map_or_else(
                || self.observer.cancelled(),
                |at| self.observer.insists() || Instant::now() >= at,
            );
            if due {
                if let Some(request) = requests.next() {
                    request.send(child);
                }
                if let (None, Some(argv)) = (next, on_interrupt) {
                    let [input, output, errors] = [(); 3].map(|()| Stdio::null());
                    helper.0 = self.command(argv).stdin(input).stdout(output).stderr(errors).spawn().ok();
                }
                next = Instant::now().checked_add(GRACE);
            }
            thread::sleep(POLL);
        }
    }
}

/// The command that helps an interrupted one to end.
struct Helper(Option<Child>);

impl Helper {
    /// Gives it the time it still needs, unless the user insists, and leaves nothing of it running.
    fn finish(&mut self, observer: &dyn Observer) {
        let Some(child) = &mut self.0 else { return };
        let begun = Instant::now();
        while matches!(child.try_wait(), Ok(None)) && !observer.insists() && begun.elapsed() < GRACE {
            thread::sleep(POLL);
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}

#[derive(Clone, Copy)]
enum Request {
    Interrupt,
    Terminate,
    Kill,
}

impl Request {
    /// Asks `child` to end. It is ours and not yet waited for, so its process id is still its own; that it may have
    /// ended in between is fine.
    #[cfg(unix)]
    fn send(self, child: &mut Child) {
        use rustix::process::{Pid, Signal, kill_process};
        let signal = match self {
            Request::Interrupt => Signal::INT,
            Request::Terminate => Signal::TERM,
            Request::Kill => Signal::KILL,
        };
        if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }

    /// Ends `child` at the last request; there is no gentler way here.
    #[cfg(not(unix))]
    fn send(self, child: &mut Child) {
        if matches!(self, Request::Kill) {
            let _ = child.kill();
        }
    }
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    status.signal().unwrap_or(0)
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> i32 {
    0
}

/// Whether the child ended because of Ctrl-C: by the signal, or with the code shells and docker give for it.
fn by_interrupt(status: ExitStatus) -> bool {
    const SIGINT: i32 = 2;
    signal(status) == SIGINT || status.code() == Some(128 + SIGINT)
}

fn was_interrupted(argv: &[String]) -> Error {
    let name = argv.first().map_or("", String::as_str);
    Error::new(ErrorKind::Interrupted, format!("{} was interrupted", escape(name.as_bytes())))
}

fn cannot_run(argv: &[String], error: io::Error) -> Error {
    let name = escape(argv.first().map_or("", String::as_str).as_bytes()).into_owned();
    let (kind, message) = match error.kind() {
        io::ErrorKind::NotFound => {
            (ErrorKind::MissingTool, format!("{name} is not installed, or not on PATH; install it"))
        }
        _ => (ErrorKind::Io, format!("cannot run {name}")),
    };
    Error { source: Some(error), ..Error::new(kind, message) }
}
