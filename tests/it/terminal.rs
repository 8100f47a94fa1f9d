//! What a terminal shows: bars while something is read, and nothing of them afterwards. `script` is the terminal.

use std::{fs, path::Path, process::Stdio, time::Duration};

use super::{
    stopping::holes,
    support::{Tool, program, tool},
};

const BAR: &str = "MiB/s";
const COLUMNS: usize = 80;

/// A screen that knows the little that bars need.
#[derive(Default)]
struct Screen {
    lines: Vec<String>,
    row: usize,
    column: usize,
    /// Something on it was a bar.
    bars: bool,
}

impl Screen {
    fn of(text: &str) -> Screen {
        let mut screen = Screen::default();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '\r' => screen.column = 0,
                '\n' => screen.row += 1,
                '\u{1b}' => {
                    assert_eq!(chars.next(), Some('['));
                    let mut number = String::new();
                    let command = loop {
                        match chars.next().unwrap() {
                            c @ ('0'..='9' | ';' | '?') => number.push(c),
                            c => break c,
                        }
                    };
                    screen.command(command, number.parse().unwrap_or(1));
                }
                c => screen.put(c),
            }
        }
        screen
    }

    fn command(&mut self, command: char, number: usize) {
        match command {
            'A' => self.row = self.row.saturating_sub(number),
            'B' => self.row += number,
            'G' => self.column = number - 1,
            'K' => self.line().clear(),
            'J' => self.lines.truncate(self.row),
            'm' | 'h' | 'l' => {}
            other => panic!("this screen does not know {other:?}"),
        }
    }

    fn line(&mut self) -> &mut String {
        if self.lines.len() <= self.row {
            self.lines.resize(self.row + 1, String::new());
        }
        &mut self.lines[self.row]
    }

    fn put(&mut self, c: char) {
        // The cursor stays behind the last column until something follows.
        if self.column == COLUMNS {
            (self.row, self.column) = (self.row + 1, 0);
        }
        let column = self.column;
        let line = self.line();
        let mut chars: Vec<char> = line.chars().collect();
        chars.resize(chars.len().max(column + 1), ' ');
        chars[column] = c;
        *line = chars.into_iter().collect();
        self.bars |= line.contains(BAR);
        self.column += 1;
    }

    fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
    }
}

/// Runs the program with these arguments on a terminal, stops it after a while if that is wanted, and gives what the
/// terminal was sent and the exit code.
fn on_terminal(script: &Tool, args: &str, stop: bool) -> (String, Option<i32>) {
    let folder = tempfile::tempdir().unwrap();
    let typescript = folder.path().join("typescript");
    let (program, pid) = (program().get_program().to_str().unwrap().to_owned(), folder.path().join("pid"));
    let command = format!("stty cols {COLUMNS}; echo $$ > {}; exec {program} {args}", pid.display());
    let mut child = script
        .command()
        .args(["--quiet", "--return", "--flush", "--command", &command])
        .arg(&typescript)
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    if stop {
        let text = || fs::read(&typescript).unwrap_or_default();
        while !String::from_utf8_lossy(&text()).contains(BAR) {
            assert_eq!(child.try_wait().unwrap(), None, "it ended without a bar");
            std::thread::sleep(Duration::from_millis(20));
        }
        let pid = fs::read_to_string(&pid).unwrap();
        assert!(std::process::Command::new("kill").args(["-INT", pid.trim()]).status().unwrap().success());
    }
    let code = child.wait().unwrap().code();
    let text = String::from_utf8(fs::read(&typescript).unwrap()).unwrap();
    // What `script` itself says stands on the first and last lines.
    let own = |line: &&str| !line.starts_with("Script started") && !line.starts_with("Script done");
    (text.split_inclusive('\n').filter(own).collect(), code)
}

fn large(blobs: usize, size: u64) -> (tempfile::NamedTempFile, String) {
    let file = holes(blobs, size);
    let path = file.path().to_str().unwrap().to_owned();
    (file, path)
}

#[test]
fn bars_go_when_the_work_is_done() {
    let Some(script) = tool("script") else { return };
    let (_file, path) = large(3, 300 << 20);
    let (text, code) = on_terminal(&script, &format!("verify {path} {path}"), false);
    let screen = Screen::of(&text);
    assert_eq!(code, Some(1), "{text}");
    assert!(screen.bars && text.contains("0/2 inputs"), "{text:?}");
    let left = screen.text();
    assert!(
        left.contains("2 inputs: 0 passed, 2 failed") && !left.contains(BAR) && !left.contains("/2 inputs"),
        "{left}"
    );
    let quiet = on_terminal(&script, &format!("verify -q {path}"), false).0;
    assert!(!quiet.is_empty() && !Screen::of(&quiet).bars, "{quiet:?}");
}

#[test]
fn bars_go_when_it_is_stopped() {
    let Some(script) = tool("script") else { return };
    let (_file, path) = large(9, 2 << 30);
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.tar");
    for args in [
        format!("verify {path} {path}"),
        format!("analyze {path}"),
        format!("normalize --force --sde 0 {path} -o {}", Path::new(&output).display()),
    ] {
        let (text, code) = on_terminal(&script, &args, true);
        assert_eq!(code, Some(130), "{args}");
        let left = Screen::of(&text).text();
        assert!(!left.contains(BAR) && !left.contains("/2 inputs"), "{args}: {left}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn plain_progress_is_lines() {
    let (_file, path) = large(1, 16 << 30);
    let mut child = program()
        .args(["verify", "--progress", "plain", "-j", "1", &path])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    std::io::BufRead::read_line(&mut stderr, &mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    // A machine that reads 16 GiB within five seconds has nothing to tell.
    assert!(
        line.is_empty() || line.starts_with("0/1 inputs done, ") && line.ends_with(" MiB/s\n"),
        "{line:?}"
    );
}
