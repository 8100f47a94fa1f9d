//! What a walk over a tar archive tells, kept as a whole: for the tests of the reader and for the fuzz targets.
//!
//! Knows how the walk is driven and audited. Must not judge what it tells.

use repro_build::limits::Limits;
use repro_build::tar::{Anomaly, Audit, Member, Outcome, Sink, Walker, raw_line};

/// A walk that came to its end.
pub struct Walked {
    pub members: Vec<Member>,
    /// Those of the walk and those of the audit.
    pub anomalies: Vec<Anomaly>,
    /// Bytes of data that members were said to hold.
    pub data: u64,
    pub outcome: Outcome,
}

impl Walked {
    /// The raw listing, a line for each member.
    pub fn listing(&self) -> Vec<String> {
        self.members.iter().map(raw_line).collect()
    }
}

/// Walks over an archive that is there as a whole.
pub fn walk(archive: &[u8]) -> Walked {
    walk_in_windows(archive, archive.len().max(1))
}

/// Walks over an archive that arrives in windows of so many bytes. Fails if not every byte is accounted for.
pub fn walk_in_windows(archive: &[u8], window: usize) -> Walked {
    let mut seen = Seen::default();
    let mut walker = Walker::new(&Limits::default());
    for window in archive.chunks(window) {
        walker.feed(window, &mut seen);
    }
    let outcome = walker.finish(&mut seen);
    let Seen { members, mut anomalies, data, audit } = seen;
    audit.finish(&mut anomalies);
    assert_eq!(outcome.bytes.total(), archive.len() as u64, "every byte is accounted for");
    assert!(data <= outcome.bytes.body, "data comes out of bodies");
    Walked { members, anomalies, data, outcome }
}

#[derive(Default)]
struct Seen {
    members: Vec<Member>,
    anomalies: Vec<Anomaly>,
    data: u64,
    audit: Audit,
}

impl Sink for Seen {
    fn member(&mut self, member: Member) {
        self.audit.member(&member, &mut self.anomalies);
        self.members.push(member);
    }

    fn data(&mut self, data: &[u8]) {
        self.data += data.len() as u64;
    }

    fn anomaly(&mut self, anomaly: Anomaly) {
        self.anomalies.push(anomaly);
    }
}
