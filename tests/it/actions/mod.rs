//! The GitHub actions and workflows: what their YAML says, and what their scripts do with hostile input.

mod definitions;
#[cfg(unix)]
mod hostile;
#[cfg(unix)]
mod scripts;
#[cfg(unix)]
mod step;
