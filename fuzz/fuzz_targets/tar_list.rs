//! The tar walk: every input byte is accounted for, and what it tells does not depend on how the bytes arrive.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use repro_build::{
    limits::Limits,
    tar::{Anomaly, Audit, Member, Outcome, Sink, Walker, raw_line},
};

#[derive(Default)]
struct Seen {
    lines: Vec<String>,
    data: u64,
    anomalies: Vec<Anomaly>,
    audit: Audit,
}

impl Sink for Seen {
    fn member(&mut self, member: Member) {
        self.audit.member(&member, &mut self.anomalies);
        self.lines.push(raw_line(&member));
    }

    fn data(&mut self, data: &[u8]) {
        self.data += data.len() as u64;
    }

    fn anomaly(&mut self, anomaly: Anomaly) {
        self.anomalies.push(anomaly);
    }
}

fn walk(archive: &[u8], window: usize) -> (Seen, Outcome) {
    let mut seen = Seen::default();
    let mut walker = Walker::new(&Limits::default());
    for window in archive.chunks(window) {
        walker.feed(window, &mut seen);
    }
    let outcome = walker.finish(&mut seen);
    std::mem::take(&mut seen.audit).finish(&mut seen.anomalies);
    (seen, outcome)
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    repro_build_fuzz::mutate_tar(data, size, max_size, seed)
});

fuzz_target!(|data: &[u8]| {
    let (whole, outcome) = walk(data, data.len().max(1));
    assert_eq!(outcome.bytes.total(), data.len() as u64, "every byte is accounted for");
    assert_eq!(outcome.members, whole.lines.len() as u64);
    assert!(whole.data <= outcome.bytes.body);
    for window in [1, 511, 513] {
        let (parts, again) = walk(data, window);
        assert_eq!((&parts.lines, parts.data, again), (&whole.lines, whole.data, outcome));
        assert_eq!(parts.anomalies, whole.anomalies);
    }
});
