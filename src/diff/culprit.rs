//! The usual suspects: files and fields that differ between builds for a reason that is known, and the remedy.

use std::sync::LazyLock;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::cause::Change;

/// A known reason and what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Culprit {
    /// Paths without leading slash, or JSON pointers; globs: `*` within a folder, `**` across folders.
    pub paths: &'static [&'static str],
    /// Why it differs.
    pub why: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

/// All of them; the first that matches counts.
pub const CULPRITS: &[Culprit] = &[
    Culprit {
        paths: &["etc/shadow", "etc/shadow-"],
        why: "holds the day of the last password change",
        remedy: "after useradd: chage -d 0 USER, or sed the third field; remove etc/shadow-",
    },
    Culprit {
        paths: &["etc/passwd-", "etc/group-", "etc/gshadow-", "etc/subuid-", "etc/subgid-"],
        why: "backup that useradd and groupadd leave",
        remedy: "rm -f /etc/*- in the same RUN",
    },
    Culprit {
        paths: &["**/*.pyc", "**/__pycache__", "**/__pycache__/**"],
        why: "bytecode holds its source's modification time",
        remedy: "PYTHONDONTWRITEBYTECODE=1, or python -m compileall --invalidation-mode checked-hash",
    },
    Culprit {
        paths: &["var/cache/ldconfig/aux-cache"],
        why: "ldconfig's cache holds inode numbers and times",
        remedy: "rm -f /var/cache/ldconfig/aux-cache in the same RUN",
    },
    Culprit {
        paths: &["var/log/apt/**", "var/log/dpkg.log", "var/log/alternatives.log", "var/log/bootstrap.log"],
        why: "package manager log with times",
        remedy: "rm -rf /var/log/* in the same RUN",
    },
    Culprit {
        paths: &["var/log/**"],
        why: "log file with times",
        remedy: "rm -rf /var/log/* in the same RUN",
    },
    Culprit {
        paths: &[
            "var/lib/apt/lists/**",
            "var/cache/apt/**",
            "var/cache/debconf/**",
            "var/lib/apt/extended_states",
        ],
        why: "apt's lists and caches follow the mirror of the day",
        remedy: "pin snapshot.debian.org; rm -rf /var/lib/apt/lists/* /var/cache/* in the same RUN",
    },
    Culprit {
        paths: &[
            "var/lib/dpkg/status",
            "var/lib/dpkg/status-old",
            "var/lib/dpkg/available",
            "var/lib/dpkg/info/**",
        ],
        why: "other package versions were installed",
        remedy: "pin versions, or use snapshot.debian.org for a fixed day",
    },
    Culprit {
        paths: &["lib/apk/db/**", "usr/lib/apk/db/**", "etc/apk/world"],
        why: "other package versions were installed",
        remedy: "pin versions with apk add NAME=VERSION",
    },
    Culprit {
        paths: &["var/cache/apk/**"],
        why: "apk's cache follows the mirror of the day",
        remedy: "apk add --no-cache",
    },
    Culprit {
        paths: &[
            "var/lib/rpm/**",
            "usr/lib/sysimage/rpm/**",
            "var/cache/dnf/**",
            "var/lib/dnf/**",
            "var/cache/yum/**",
        ],
        why: "the RPM database and its caches hold install times",
        remedy: "dnf clean all; set SOURCE_DATE_EPOCH and %_build_mtime_policy, or rebuild the database",
    },
    Culprit {
        paths: &["etc/resolv.conf", "etc/hosts", "etc/hostname", "etc/mtab"],
        why: "mounted by the builder, so it belongs to the machine",
        remedy: "never write it in a RUN; remove it from the layer",
    },
    Culprit {
        paths: &["etc/machine-id", "var/lib/dbus/machine-id", "var/lib/systemd/random-seed"],
        why: "random for each installation",
        remedy: ": > /etc/machine-id and rm -f /var/lib/dbus/machine-id in the same RUN",
    },
    Culprit {
        paths: &["etc/ssh/ssh_host_*", "etc/ssl/private/**", "etc/ssl/certs/ssl-cert-snakeoil.pem"],
        why: "a key made at build time",
        remedy: "remove it from the image and make it at first start",
    },
    Culprit {
        paths: &["**/uv_cache.json", "**/uv_build.json"],
        why: "uv notes the build's time",
        remedy: "delete it after uv pip install, or use uv --no-cache with UV_LINK_MODE=copy",
    },
    Culprit {
        paths: &["**/.cache/**", "**/.npm/**", "**/_cacache/**", "**/.gradle/**", "**/.m2/**"],
        why: "a tool's cache",
        remedy: "RUN --mount=type=cache, or delete it in the same RUN",
    },
    Culprit {
        paths: &["**/*.dist-info/RECORD", "**/*.dist-info/direct_url.json", "**/*.dist-info/REQUESTED"],
        why: "pip's record of what and from where it installed",
        remedy: "install pinned wheels with --no-compile",
    },
    Culprit {
        paths: &["**/.git/**"],
        why: "git's own files hold times and packing that differ from clone to clone",
        remedy: "add .git to .dockerignore",
    },
    Culprit {
        paths: &["var/cache/fontconfig/**", "**/.uuid"],
        why: "fontconfig's caches hold random names and times",
        remedy: "rm -rf /var/cache/fontconfig in the same RUN",
    },
    Culprit {
        paths: &["etc/ssl/certs/java/cacerts", "**/cacerts"],
        why: "a Java key store holds the time each certificate was added",
        remedy: "make it with SOURCE_DATE_EPOCH set, or copy a fixed one",
    },
    Culprit {
        paths: &["etc/ld.so.cache"],
        why: "lists the libraries that are installed",
        remedy: "look at the libraries that differ; it follows from them",
    },
    Culprit {
        paths: &["**/*.jar", "**/*.war", "**/*.zip", "**/*.whl", "**/*.egg", "**/*.apk"],
        why: "a zip archive holds its members' times",
        remedy: "build it with SOURCE_DATE_EPOCH, or run strip-nondeterminism on it",
    },
    Culprit {
        paths: &["**/*.gz", "**/*.tgz"],
        why: "a gzip header holds a time and a name",
        remedy: "gzip -n",
    },
    Culprit {
        paths: &["**/*.a"],
        why: "a static library holds its members' times and owners",
        remedy: "ar and ranlib with D (deterministic mode)",
    },
    Culprit {
        paths: &["tmp/**", "var/tmp/**", "run/**"],
        why: "a temporary file that was left behind",
        remedy: "delete it in the same RUN",
    },
    Culprit {
        paths: &[
            "/config/Labels/org.opencontainers.image.created",
            "/annotations/org.opencontainers.image.created",
            "/config/Labels/build-date",
        ],
        why: "the time of the build, as the build was told to write it",
        remedy: "give it the commit's time",
    },
    Culprit {
        paths: &["/config/Hostname", "/container", "/container_config/Hostname"],
        why: "docker's classic builder writes its intermediate container's id",
        remedy: "build with BuildKit",
    },
    Culprit {
        paths: &["/layers/*/annotations/buildkit~1rewritten-timestamp"],
        why: "BuildKit rewrote this layer's times (rewrite-timestamp=true) on one side",
        remedy: "build both with SOURCE_DATE_EPOCH and rewrite-timestamp=true",
    },
];

/// What [`field`] finds where one side has no value.
const ANOTHER_TOOL: Culprit = Culprit {
    paths: &["/config/Hostname", "/container", "/container_config", "/docker_version"],
    why: "only docker's classic builder writes it; another tool built or converted the other side's configuration",
    remedy: "build both in one way, and compare them as they were built",
};

/// The culprit that the difference of a document's field matches.
pub(crate) fn field(change: &Change) -> Option<&'static Culprit> {
    let one_sided = change.left.is_none() || change.right.is_none();
    if one_sided && ANOTHER_TOOL.paths.contains(&&*change.field) {
        return Some(&ANOTHER_TOOL);
    }
    culprit(change.field.as_bytes()).filter(|_| change.field.starts_with('/'))
}

/// The culprit that a path or JSON pointer matches.
pub fn culprit(path: &[u8]) -> Option<&'static Culprit> {
    static SET: LazyLock<(GlobSet, Vec<&Culprit>)> = LazyLock::new(|| {
        let mut set = GlobSetBuilder::new();
        let mut owners = Vec::new();
        for culprit in CULPRITS {
            for glob in culprit
                .paths
                .iter()
                .filter_map(|path| GlobBuilder::new(path).literal_separator(true).build().ok())
            {
                set.add(glob);
                owners.push(culprit);
            }
        }
        (set.build().unwrap_or_else(|_| GlobSet::empty()), owners)
    });
    let (set, owners) = &*SET;
    let path = String::from_utf8_lossy(path);
    let first = set.matches(std::path::Path::new(&*path)).into_iter().min()?;
    owners.get(first).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::Cause;

    #[test]
    fn every_pattern_compiles_and_finds_its_own_row() {
        for culprit in CULPRITS {
            for path in culprit.paths {
                assert!(GlobBuilder::new(path).literal_separator(true).build().is_ok(), "{path}");
                let example = path.replace("**/", "usr/lib/").replace("/**", "/some/file").replace('*', "0");
                let found = super::culprit(example.as_bytes()).map(|found| found.why);
                assert_eq!(found, Some(culprit.why), "{example}");
            }
        }
    }

    #[test]
    fn a_key_that_docker_alone_writes_is_no_container_id_where_one_side_lacks_it() {
        let change = |left: Option<&str>| {
            Change::new(Cause::Content, "/config/Hostname", left.map(str::to_owned), "\"b\"".to_owned())
        };
        assert!(field(&change(Some("\"a\""))).unwrap().remedy.contains("BuildKit"));
        assert_eq!(field(&change(None)), Some(&ANOTHER_TOOL));
    }

    #[test]
    fn most_files_are_no_suspects() {
        for path in ["etc/passwd", "usr/bin/python3", "srv/data", "app/main.py", "/config/Env/1"] {
            assert_eq!(culprit(path.as_bytes()), None, "{path}");
        }
    }
}
