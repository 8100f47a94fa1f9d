//! Our tar walk against the `tar` crate: where the two list different members, an anomaly must say so, and only those
//! of a list of known differences may.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use repro_build::{
    grade::Grade,
    limits::Limits,
    tar::{Anomaly, AnomalyKind, Audit, Kind, Member, Sink, Walker},
};

/// Anomalies below an error that may come with another listing by the `tar` crate, each for what its `why` says.
const KNOWN: &[AnomalyKind] = &[
    AnomalyKind::ChecksumSigned,
    AnomalyKind::NumberLead,
    AnomalyKind::NumberNegative,
    AnomalyKind::NumberBlank,
    AnomalyKind::HeaderOnlyWithSize,
    AnomalyKind::GnuTimes,
    AnomalyKind::GnuPrefix,
    AnomalyKind::StrayPrefix,
    AnomalyKind::PaxDuplicateKey,
    AnomalyKind::PaxRepeated,
    AnomalyKind::PaxEmpty,
    AnomalyKind::PaxNumberForm,
    AnomalyKind::PaxNewline,
    AnomalyKind::PaxGnuMix,
    AnomalyKind::PaxGlobalField,
    AnomalyKind::GnuLongEmpty,
    AnomalyKind::GnuLongNul,
    AnomalyKind::GnuLongRepeated,
    AnomalyKind::SparseVersion,
    AnomalyKind::Sparse,
    AnomalyKind::TruncatedPadding,
    AnomalyKind::EndMarkerHalf,
    AnomalyKind::EmptyHalfMarker,
    AnomalyKind::TypeUnknown,
];

#[derive(Default)]
struct Seen {
    members: Vec<Member>,
    anomalies: Vec<Anomaly>,
    audit: Audit,
}

impl Sink for Seen {
    fn member(&mut self, member: Member) {
        self.audit.member(&member, &mut self.anomalies);
        self.members.push(member);
    }

    fn anomaly(&mut self, anomaly: Anomaly) {
        self.anomalies.push(anomaly);
    }
}

/// Name, type flag, size, link target.
type Row = (Vec<u8>, u8, u64, Vec<u8>);

fn theirs(archive: &[u8]) -> Result<Vec<Row>, std::io::Error> {
    let mut rows = Vec::new();
    for entry in tar::Archive::new(archive).entries()? {
        let entry = entry?;
        let kind = entry.header().entry_type();
        // The crate lists global headers as members, and all extension headers that have no magic.
        if matches!(kind.as_byte(), b'g' | b'x' | b'L' | b'K') {
            continue;
        }
        let data =
            if kind.is_file() || kind.is_gnu_sparse() || kind.is_contiguous() { entry.size() } else { 0 };
        let link = entry.link_name_bytes().map(|link| link.into_owned()).unwrap_or_default();
        rows.push((entry.path_bytes().into_owned(), kind.as_byte(), data, link));
    }
    Ok(rows)
}

fn ours(member: &Member) -> Row {
    let flag = if member.typeflag == 0 { b'0' } else { member.typeflag };
    let size = if member.kind == Kind::Regular { member.size } else { 0 };
    (member.name.clone(), flag, size, member.link.clone())
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    repro_build_fuzz::mutate_tar(data, size, max_size, seed)
});

fuzz_target!(|data: &[u8]| {
    let mut seen = Seen::default();
    Walker::walk(&Limits::default(), data, &mut seen);
    let told = seen.anomalies.iter().any(|a| a.kind.grade() == Grade::Error || KNOWN.contains(&a.kind));
    if told {
        return;
    }
    let ours: Vec<Row> = seen.members.iter().map(ours).collect();
    // What the crate refuses it does not silently list otherwise.
    if let Ok(theirs) = theirs(data) {
        assert_eq!(ours, theirs, "anomalies {:?}", seen.anomalies);
    }
});
