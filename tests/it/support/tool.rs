//! Other programs as oracles, and the test data beside the checkout.

use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program that is installed.
pub struct Tool(PathBuf);

impl Tool {
    /// A command that runs it.
    pub fn command(&self) -> Command {
        Command::new(&self.0)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What it prints on standard output; it must succeed.
    pub fn run<I: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = I>) -> String {
        let output = self.command().args(args).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} failed: {errors}", self.0.display());
        String::from_utf8(output.stdout).unwrap()
    }
}

/// The program of that name, if it is on the PATH. Where it is not, the test that asks says that it skips, or fails
/// with `REPRO_REQUIRE_TOOLS=1`.
pub fn tool(name: &str) -> Option<Tool> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    if found.is_none() {
        let required = std::env::var_os("REPRO_REQUIRE_TOOLS").is_some_and(|value| value == "1");
        assert!(!required, "{name} is not installed and REPRO_REQUIRE_TOOLS=1");
        skipped(&format!("{name} is not installed"));
    }
    found.map(Tool)
}

/// A file or folder of the test data that may stand in `shared` beside the checkout.
pub fn shared(path: &str) -> Option<PathBuf> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(path);
    if !file.exists() {
        skipped(&format!("shared/{path} is not beside the checkout"));
        return None;
    }
    Some(file)
}

/// Writes a file with a hole wherever `content` has a block of zeros.
pub fn write_sparse(path: &Path, content: &[u8]) {
    const BLOCK: usize = 4096;
    let file = std::fs::File::create(path).unwrap();
    file.set_len(content.len() as u64).unwrap();
    for (number, block) in content.chunks(BLOCK).enumerate().filter(|(_, block)| **block != [0; BLOCK]) {
        file.write_all_at(block, (BLOCK * number) as u64).unwrap();
    }
}

/// Says that a test is skipped.
#[allow(clippy::print_stderr, reason = "a test that skips says so")]
pub fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}
