//! The integration tests: one binary, one module for each subject, `support` for what they share.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a test says aloud what it skips and counts")]
#![allow(unreachable_pub, reason = "nothing is outside a test binary")]

mod actions;
mod build;
mod build_cli;
mod builder;
mod checks_table;
mod cli_help;
mod conformance;
mod damaged;
mod diff;
mod engines;
mod files;
mod fixtures;
mod gates;
mod golden;
mod hostile;
mod html;
mod inputs;
mod judge;
mod known;
mod ladder;
mod layering;
mod library;
mod limits;
mod listing;
mod measure;
mod mutation;
mod normalize;
mod outer;
mod outputs;
mod policy;
mod registry;
mod remedied;
mod remedy;
mod reports;
mod scale;
mod stopping;
mod support;
mod terminal;
mod walked;
