//! The HTML page in a real browser.

use std::path::Path;

use super::support::{ImageBuilder, Layer, Member, fixtures, run, tool};

/// What a browser makes of a page, scripts run.
fn dom(page: &Path) -> Option<String> {
    let chromium = tool("chromium")?;
    let profile = tempfile::tempdir().unwrap();
    let output = chromium
        .command()
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(["--virtual-time-budget=2000", "--dump-dom"])
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

fn page(folder: &tempfile::TempDir, args: &[&str]) -> std::path::PathBuf {
    let file = folder.path().join("page.html");
    let ran = run(args.iter().copied());
    std::fs::write(&file, &ran.stdout).unwrap();
    file
}

#[test]
fn it_opens_and_shows_the_verdict_and_adds_its_filters() {
    let folder = tempfile::tempdir().unwrap();
    let good = fixtures("good").join("tiny-bk-oci-rw0.tar");
    let Some(shown) = dom(&page(&folder, &["analyze", "--format", "html", good.to_str().unwrap()])) else {
        return;
    };
    assert!(shown.contains("<h1>Verified</h1>"), "{shown}");
    // The filter's box is made by the script, which runs only if the page's policy names it rightly.
    assert!(shown.contains("<input type=\"search\" class=\"filter\""), "{shown}");
    let bad = fixtures("bad").join("07a-diffids-swapped.tar");
    let shown = dom(&page(&folder, &["verify", "--format", "html", bad.to_str().unwrap()])).unwrap();
    assert!(shown.contains("<h1>Not verified</h1>") && shown.contains("config.diff-id"), "{shown}");
}

#[test]
fn a_hostile_name_stays_text() {
    let folder = tempfile::tempdir().unwrap();
    let name = "<img src=x onerror=document.title='owned'>\"'><script>document.title='owned'</script>";
    let layer = Layer::new(&[Member::file(name, "x")]);
    let archive = folder.path().join(name.replace('/', "\u{2215}"));
    std::fs::write(&archive, ImageBuilder::good().layers(vec![layer]).tar()).unwrap();
    std::fs::write(folder.path().join("repro-build.toml"), "[files]\nforbid = ['**']\n").unwrap();
    let page = page(&folder, &["verify", "--format", "html", archive.to_str().unwrap()]);
    assert!(std::fs::read_to_string(&page).unwrap().contains("content.forbidden"));
    let Some(shown) = dom(&page) else { return };
    assert!(shown.contains("&lt;img src=x onerror="), "{shown}");
    assert!(!shown.contains("<img") && !shown.contains("<title>owned"), "{shown}");
    // The one script is the page's own.
    assert_eq!(shown.matches("<script").count(), 1, "{shown}");
}

#[test]
fn the_filter_hides_what_does_not_match() {
    let folder = tempfile::tempdir().unwrap();
    let good = fixtures("good").join("tiny-bk-oci-rw0.tar");
    let file = page(&folder, &["verify", "--format", "html", good.to_str().unwrap()]);
    let text = std::fs::read_to_string(&file).unwrap();
    // Types into the box as a person would; the page's policy would not let a foreign script run.
    let (head, rest) = text.split_once("<meta http-equiv").unwrap();
    let (_, rest) = rest.split_once('>').unwrap();
    let typing = "<script>const box = document.querySelector('.filter'); box.value = 'blob. pass';\
                  box.dispatchEvent(new Event('input'));</script></body>";
    std::fs::write(&file, format!("{head}{}", rest.replacen("</body>", typing, 1))).unwrap();
    let Some(shown) = dom(&file) else { return };
    let rows: Vec<&str> = shown.split("<tr").filter(|row| row.contains("<td><code>")).collect();
    let visible: Vec<&&str> = rows.iter().filter(|row| !row.starts_with(" hidden")).collect();
    assert!(!visible.is_empty() && visible.len() < rows.len(), "{} of {}", visible.len(), rows.len());
    assert!(visible.iter().all(|row| row.contains("blob.") && row.contains("pass")), "{visible:?}");
}

#[test]
fn it_needs_nothing_from_anywhere() {
    let good = fixtures("good").join("tiny-bk-oci-rw0.tar");
    let text = run(["analyze", "--format", "html", good.to_str().unwrap()]).stdout;
    for reference in ["http://", "https://", "src=", "url(", "@import", "<link"] {
        assert!(!text.contains(reference), "{reference}");
    }
}

#[test]
fn a_diff_shows_verdict_changes_and_texts_and_hostile_names_stay_text() {
    let folder = tempfile::tempdir().unwrap();
    let name = "<img src=x onerror=document.title='owned'>";
    let members = |text: &str, time| {
        let many = (0..8).map(|i| Member::file(format!("file{i}"), "same").mtime(time));
        Layer::new(&many.chain([Member::file(name, text)]).collect::<Vec<_>>())
    };
    let write = |file: &str, layer: Layer| {
        let path = folder.path().join(file);
        std::fs::write(&path, ImageBuilder::good().layers(vec![layer]).tar()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (a, b) = (write("a.tar", members("<b>old\n", 1)), write("b.tar", members("<b>new\n", 2)));
    let page = page(&folder, &["diff", "--format", "html", &a, &b]);
    let Some(shown) = dom(&page) else { return };
    assert!(shown.contains("<h1>Different</h1>") && shown.contains("layer.mtime"), "{shown}");
    assert!(shown.contains("<input type=\"search\" class=\"filter\""), "{shown}");
    assert!(
        shown.contains("<td class=\"fail\">&lt;b&gt;old</td><td class=\"pass\">&lt;b&gt;new</td>"),
        "{shown}"
    );
    assert!(shown.contains("&lt;img src=x onerror=") && !shown.contains("<img"), "{shown}");
    assert_eq!(shown.matches("<script").count(), 1, "{shown}");
}
