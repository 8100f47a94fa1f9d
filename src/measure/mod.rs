//! Measuring: every byte that matters is read once, in parallel, and turned into values that are judged later.
//!
//! Knows how to hash, decode and walk content, and on which threads. Must not know what is right or wrong.

mod blob;
mod facts;
mod known;
mod layer;
mod pipeline;
mod plan;
mod run;
mod workers;

pub use facts::{BlobFacts, Counts, Facts, LayerFacts, LayerFault, Newer};
pub use plan::{Needs, WorkPlan, plan, plan_only};
pub use run::run;
pub use workers::Workers;
