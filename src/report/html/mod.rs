//! HTML: one page that needs no network, and no scripts to be read.
//!
//! [`page`] is the shell every kind of report is put into. Its policy for browsers forbids everything but its own style
//! and its own script, which it names by digest: were something of an image ever taken for markup, it still would not
//! run or load anything.

mod page;
mod report;

pub(super) use report::write;

pub use page::{page, quote};
