//! What `--version` says: the program, and what its bytes depend on.

use std::sync::LazyLock;

use crate::build::{DEFAULT_PIN, DEFAULT_ROOTLESS_PIN, PINS, Pin};

/// The deflate encoder, pinned in Cargo.toml, since `normalize` promises its bytes.
const DEFLATE: &str = "0.6.8";

/// The long form of the version.
pub(super) fn long() -> &'static str {
    static LONG: LazyLock<String> = LazyLock::new(|| {
        format!(
            "{}\ngzip:     zlib-rs {DEFLATE}\nzstd:     libzstd {}\nreport:   {}\n{}",
            env!("CARGO_PKG_VERSION"),
            zstd::zstd_safe::version_string(),
            crate::report::wire::SCHEMA,
            PINS.iter().map(pin).collect::<Vec<_>>().join("\n"),
        )
    });
    &LONG
}

/// A BuildKit image that `build` knows, and whether it is what `build` takes by itself.
fn pin(pin: &Pin) -> String {
    let default = match pin {
        _ if pin == DEFAULT_PIN => " (default)",
        _ if pin == DEFAULT_ROOTLESS_PIN => " (default with --rootless)",
        _ => "",
    };
    format!("buildkit: {}{default}", pin.image)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_is_the_one_that_is_pinned() {
        let manifest = include_str!("../../Cargo.toml");
        assert!(manifest.contains(&format!("zlib-rs = \"={}\"", super::DEFLATE)));
    }
}
