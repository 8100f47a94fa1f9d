//! The table of rules as the document `docs/rules.md`.

use std::fmt::Write as _;

use super::{Level, RULES, Rule};

const HEAD: &str = "\
# Rules

What `repro-build normalize` changes, and what `repro-build diff` names as the cause of a difference. This file is
generated from the table in `src/rules/table.rs`; a test fails when it is stale.

Each level does all that the ones before it do:

| level | digests |
|---|---|
| `archive` | none changes |
| `clamp` (default) | change where something was later than SOURCE_DATE_EPOCH |
| `canonical` | change |
| `sorted` | change |

Never touched at any level: user and group numbers, permission bits, extended attributes' values, file data, whiteouts,
link targets and, below `sorted`, the order of members. Configurations and, below `canonical`, manifests are edited in
place: every byte but the values named here stays. A blob in which no rule changes anything is copied byte for byte; at
`clamp` a layer in which nothing is later than SOURCE_DATE_EPOCH keeps its blob. A layer that does change is written the
way Go's archive/tar writes the headers that its reader gave, as BuildKit does it.

One consequence of writing as Go does, at `clamp`: where Go's reader cannot name a header's dialect (bytes that are not
ASCII in a ustar header; V7 headers), its writer rounds the time to whole seconds and leaves access times out, and so do
we, in layers that change.

`buildkit/rewritten-timestamp` is BuildKit's own note that BuildKit rewrote a layer. We never add it.
";

const ELSEWHERE: &str = "
## What other tools do

BuildKit: measured with v0.31.0, `rewrite-timestamp=true` and SOURCE_DATE_EPOCH. buildah: measured with 1.28.2,
`--timestamp` and a push to an oci-archive; what stands there of its newer `--source-date-epoch` and
`--rewrite-timestamp`, and of kaniko's `--reproducible` and regctl's `image mod`, is what their documentation and
sources say: they were not run. An empty cell: nothing.

| rule | BuildKit | buildah | kaniko | regctl |
|---|---|---|---|---|
";

/// The text of `docs/rules.md`.
pub fn markdown() -> String {
    let mut out = HEAD.to_owned();
    let levels = Level::ALL.into_iter().map(Some).chain([None]);
    for level in levels {
        let name = level.map_or("By option only", Level::name);
        let _ =
            write!(out, "\n## {name}\n\n| rule | what it does | why | what is lost |\n|---|---|---|---|\n");
        for rule in RULES.iter().filter(|rule| rule.level == level) {
            let Rule { id, title, why, loses, .. } = rule;
            let loses = if loses.is_empty() { "nothing" } else { loses };
            let _ = writeln!(out, "| `{id}` | {title} | {why} | {loses} |");
        }
    }
    out.push_str(ELSEWHERE);
    for Rule { id, elsewhere, .. } in RULES {
        let super::Elsewhere { buildkit, buildah, kaniko, regctl } = elsewhere;
        let _ = writeln!(out, "| `{id}` | {buildkit} | {buildah} | {kaniko} | {regctl} |");
    }
    out
}
