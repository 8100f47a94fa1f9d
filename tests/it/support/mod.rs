//! What the integration tests share: images built in memory, the fixtures' tables, other programs as oracles.
//!
//! Knows tar, compression and the image formats on its own and uses nothing of `repro_build`: it is the other opinion.
//! Must not judge images; that is the tests' work.

#![allow(dead_code, unused_imports, reason = "support grows ahead of the tests that use it")]

mod builder;
mod expected;
mod image;
mod member;
mod run;
mod store;
mod tool;

pub use builder::{ImageBuilder, Layout};
pub use expected::{Expect, Expected, Verdict, expected, fixtures, verdicts};
pub use image::{Image, Layer, Packing, digest};
pub use member::{Member, tar};
pub use run::{Ran, program, run};
pub use store::{Built, Doc, Outer};
pub use tool::{Tool, shared, skipped, tool, write_sparse};
