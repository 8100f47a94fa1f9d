//! Shards: how a list of inputs is shared out among machines that know nothing of each other.
//!
//! Every machine is given the same list and its own number, and takes the inputs whose names fall to it. Knows hashing
//! and which engines say which number where; must not know what the inputs are.

use serde::{Deserialize, Serialize};

use crate::{
    digest::{Algorithm, Digest, Hasher},
    error::{Error, Result},
    escape::escape,
};

/// One of several parts of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Shard {
    /// Which part, counted from 1.
    pub number: u32,
    /// How many parts there are.
    pub count: u32,
}

impl Shard {
    /// Part `number` of `count`.
    ///
    /// # Errors
    /// A usage error unless `1 <= number <= count`.
    pub fn new(number: u32, count: u32) -> Result<Shard> {
        if number == 0 || number > count {
            return Err(Error::usage(format!("no shard {number} of {count}: shards are counted from 1")));
        }
        Ok(Shard { number, count })
    }

    /// Reads `K/N`.
    ///
    /// # Errors
    /// A usage error if it is anything else.
    pub fn parse(text: &str) -> Result<Shard> {
        let numbers = text.split_once('/').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
        let wrong = || Error::usage(format!("no shard: {} (want K/N, such as 3/8)", escape(text.as_bytes())));
        let (number, count) = numbers.ok_or_else(wrong)?;
        Shard::new(number, count)
    }

    /// Whether the input of that name falls to this part. Of `n` parts that become `n + 1`, only one input in `n + 1`
    /// moves, and an input that joins the list moves no other.
    pub fn takes(self, name: &[u8]) -> bool {
        let digest = Digest::of(Algorithm::Sha256, name);
        let key = digest.bytes().iter().take(8).fold(0, |key: u64, byte| key << 8 | u64::from(*byte));
        jump(key, self.count) == self.number - 1
    }
}

/// Jump consistent hash (Lamping and Veach, 2014): a bucket below `buckets` for every key, the same for ever.
fn jump(mut key: u64, buckets: u32) -> u32 {
    let (mut bucket, mut next) = (0, 0_i64);
    while next < i64::from(buckets) {
        bucket = next;
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        next = ((bucket + 1) as f64 * ((1_u64 << 31) as f64 / ((key >> 33) + 1) as f64)) as i64;
    }
    u32::try_from(bucket).unwrap_or_default()
}

/// A digest of a whole list, by which the shards of one run know each other.
pub fn list_digest<'n>(names: impl IntoIterator<Item = &'n [u8]>) -> Digest {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    for name in names {
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name);
    }
    hasher.finish()
}

/// An engine that runs one program many times, and the environment variables by which it numbers the runs.
#[derive(Clone, Copy, Debug)]
pub struct Engine {
    /// Its name, for people.
    pub name: &'static str,
    /// The variable that holds the run's number.
    pub index: &'static str,
    /// What the first run's number is.
    pub first: First,
    /// The variable that holds how many runs there are; `None` where the engine does not say.
    pub total: Option<&'static str>,
}

/// What the first run's number is.
#[derive(Clone, Copy, Debug)]
pub enum First {
    /// Always this.
    Is(u32),
    /// What this variable holds.
    In(&'static str),
}

/// The engines, from the most special variable to the most general.
pub const ENGINES: &[Engine] = &[
    Engine {
        name: "REPRO_SHARD_INDEX (GitHub matrix and others)",
        index: "REPRO_SHARD_INDEX",
        first: First::Is(0),
        total: Some("REPRO_SHARD_TOTAL"),
    },
    Engine {
        name: "Kubernetes Indexed Job",
        index: "JOB_COMPLETION_INDEX",
        first: First::Is(0),
        total: None,
    },
    Engine {
        name: "Slurm array",
        index: "SLURM_ARRAY_TASK_ID",
        first: First::In("SLURM_ARRAY_TASK_MIN"),
        total: Some("SLURM_ARRAY_TASK_COUNT"),
    },
    Engine {
        name: "AWS Batch array",
        index: "AWS_BATCH_JOB_ARRAY_INDEX",
        first: First::Is(0),
        total: Some("AWS_BATCH_JOB_ARRAY_SIZE"),
    },
    Engine {
        name: "GitLab parallel",
        index: "CI_NODE_INDEX",
        first: First::Is(1),
        total: Some("CI_NODE_TOTAL"),
    },
];

/// The shard that the first engine whose variable is set asks for. `total` beats what the engine says.
///
/// # Errors
/// A usage error if no engine's variable is set, one holds no number, or nobody says how many shards there are.
pub fn from_environment(get: impl Fn(&str) -> Option<String>, total: Option<u32>) -> Result<Shard> {
    let number = |name: &str| -> Result<Option<u32>> {
        let wrong = |text: &str| Error::usage(format!("{name} is no number: {}", escape(text.as_bytes())));
        get(name).map(|text| text.trim().parse().map_err(|_| wrong(&text))).transpose()
    };
    for engine in ENGINES {
        let Some(index) = number(engine.index)? else { continue };
        let first = match engine.first {
            First::Is(first) => first,
            First::In(name) => number(name)?.unwrap_or(0),
        };
        let stated = engine.total.map(number).transpose()?.flatten();
        let missing = || match engine.total {
            Some(name) => Error::usage(format!("{} is set, but {name} is not", engine.index)),
            None => {
                Error::usage(format!("{} is set; say how many there are with --shard-total", engine.index))
            }
        };
        let count = total.or(stated).ok_or_else(missing)?;
        let below = || Error::usage(format!("{} is {index}, below {first}", engine.index));
        return Shard::new(index.checked_sub(first).ok_or_else(below)?.saturating_add(1), count);
    }
    let known: Vec<&str> = ENGINES.iter().map(|engine| engine.index).collect();
    Err(Error::usage(format!("--shard-from-env found none of {}", known.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The paper's own reference values, as its readers compute them everywhere.
    #[test]
    fn jump_is_the_published_function() {
        let known = [(1, 1, 0), (42, 57, 43), (0xdead_10cc, 1, 0), (0xdead_10cc, 666, 361), (256, 1024, 520)];
        for (key, buckets, bucket) in known {
            assert_eq!(jump(key, buckets), bucket, "key {key} of {buckets}");
        }
    }

    #[test]
    fn engines_number_their_runs() {
        let of = |vars: &'static [(&str, &str)], total| {
            let get = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
            from_environment(get, total).map_err(|error| error.to_string())
        };
        let shard = |number, count| Ok(Shard { number, count });
        assert_eq!(of(&[("JOB_COMPLETION_INDEX", "0")], Some(4)), shard(1, 4));
        assert_eq!(of(&[("REPRO_SHARD_INDEX", "3"), ("REPRO_SHARD_TOTAL", "4")], None), shard(4, 4));
        let slurm =
            &[("SLURM_ARRAY_TASK_ID", "11"), ("SLURM_ARRAY_TASK_MIN", "10"), ("SLURM_ARRAY_TASK_COUNT", "8")];
        assert_eq!(of(slurm, None), shard(2, 8));
        let batch = &[("AWS_BATCH_JOB_ARRAY_INDEX", "9"), ("AWS_BATCH_JOB_ARRAY_SIZE", "10")];
        assert_eq!(of(batch, None), shard(10, 10));
        assert_eq!(of(&[("CI_NODE_INDEX", "1"), ("CI_NODE_TOTAL", "2")], None), shard(1, 2));
        for wrong in [
            &[][..],
            &[("JOB_COMPLETION_INDEX", "0")],
            &[("CI_NODE_INDEX", "0"), ("CI_NODE_TOTAL", "2")],
            &[("AWS_BATCH_JOB_ARRAY_INDEX", "2"), ("AWS_BATCH_JOB_ARRAY_SIZE", "2")],
            &[("REPRO_SHARD_INDEX", "x"), ("REPRO_SHARD_TOTAL", "2")],
        ] {
            assert!(of(wrong, None).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn every_name_falls_to_one_shard(name in proptest::collection::vec(any::<u8>(), 0..40), count in 1_u32..40) {
            let takers = (1..=count).filter(|number| Shard { number: *number, count }.takes(&name)).count();
            prop_assert_eq!(takers, 1);
        }

        #[test]
        fn one_more_shard_moves_names_only_to_itself(key in any::<u64>(), count in 1_u32..40) {
            let (before, after) = (jump(key, count), jump(key, count + 1));
            prop_assert!(after == before || after == count);
        }
    }
}
