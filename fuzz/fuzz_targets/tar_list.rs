//! The tar walk: every input byte is accounted for, and what it tells does not depend on how the bytes arrive.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use repro_build_fuzz::{
    checksums,
    walked::{walk, walk_in_windows},
};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    checksums::mutate(data, size, max_size, seed)
});

fuzz_target!(|data: &[u8]| {
    let whole = walk(data);
    assert_eq!(whole.outcome.members, whole.members.len() as u64);
    for window in [1, 511, 513] {
        let parts = walk_in_windows(data, window);
        assert_eq!((parts.data, parts.outcome), (whole.data, whole.outcome));
        assert_eq!(parts.listing(), whole.listing());
        assert_eq!(parts.anomalies, whole.anomalies);
    }
});
