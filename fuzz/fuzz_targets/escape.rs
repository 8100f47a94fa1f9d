//! Escaping: nothing that a terminal or a browser acts on gets through, and nothing is lost.
#![no_main]

use libfuzzer_sys::fuzz_target;
use repro_build::escape::{escape, unescape};

/// Whether a character controls something or does not show. Told apart here by Unicode's own ranges, not by the
/// library's list: Cc, Cf, Zl, Zp, the variation selectors and the fillers.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(u32::from(c),
            0xad | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x180e | 0x200b..=0x200f | 0x2028..=0x202e
            | 0x2060..=0x2064 | 0x2066..=0x206f | 0xfe00..=0xfe0f | 0xfeff | 0xfff9..=0xfffb | 0x110bd
            | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0001 | 0xe0020..=0xe007f | 0xe0100..=0xe01ef)
}

fuzz_target!(|data: &[u8]| {
    let shown = escape(data);
    assert!(!shown.chars().any(acts), "{shown:?}");
    assert_eq!(unescape(&shown).as_deref(), Some(data));
});
