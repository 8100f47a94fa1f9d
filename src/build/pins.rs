//! The BuildKit images this program knows by name and digest.
//!
//! Knows which bytes a name stands for and what that BuildKit does when it is not told otherwise. Must not know how
//! an image is run.

/// A BuildKit image known by its digest.
#[derive(Debug, PartialEq, Eq)]
pub struct Pin {
    /// What `--buildkit-image` takes.
    pub name: &'static str,
    /// The image reference with its digest.
    pub image: &'static str,
    /// Whether it is the variant that runs without root.
    pub rootless: bool,
    /// The media types its `docker` exporter writes by itself: OCI's or Docker's. Its `oci` exporter always
    /// writes OCI's.
    pub oci_mediatypes: bool,
}

/// All pins, newest first.
pub const PINS: &[Pin] = &[
    Pin {
        name: "v0.31.0",
        image: "moby/buildkit:v0.31.0@sha256:a095b3d11ce1a9a05b6064ef515dfca0291ec5bcf2ea8178da8f6461924294e1",
        rootless: false,
        oci_mediatypes: true,
    },
    Pin {
        name: "v0.31.0-rootless",
        image: "moby/buildkit:v0.31.0-rootless@sha256:e335bfb48eec12110318aced51f75161f01e765dd13e6041c0f4600b7c93507f",
        rootless: true,
        oci_mediatypes: true,
    },
    Pin {
        name: "v0.19.0",
        image: "moby/buildkit:v0.19.0@sha256:14aa1b4dd92ea0a4cd03a54d0c6079046ea98cd0c0ae6176bdd7036ba370cbbe",
        rootless: false,
        oci_mediatypes: false,
    },
    Pin {
        name: "v0.19.0-rootless",
        image: "moby/buildkit:v0.19.0-rootless@sha256:e901cffdad753892a7c3afb8b9972549fca02c73888cf340c91ed801fdd96d71",
        rootless: true,
        oci_mediatypes: false,
    },
];

/// What is used where no image is asked for.
pub const DEFAULT_PIN: &Pin = &PINS[0];

/// What is used where no image is asked for, with `--rootless`.
pub const DEFAULT_ROOTLESS_PIN: &Pin = &PINS[1];

impl Pin {
    /// The pin of that name, or the one whose digest the image reference `text` ends in.
    pub fn find(text: &str) -> Option<&'static Pin> {
        let digest = |image: &str| image.split_once('@').map(|(_, digest)| digest.to_owned());
        let wanted = digest(text);
        PINS.iter().find(|pin| pin.name == text || (wanted.is_some() && digest(pin.image) == wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    #[test]
    fn every_pin_has_a_whole_digest_and_is_found_by_name_and_reference() {
        for pin in PINS {
            let (tagged, digest) = pin.image.split_once('@').unwrap();
            Digest::parse(digest).unwrap();
            assert_eq!(tagged, format!("moby/buildkit:{}", pin.name));
            assert_eq!(pin.rootless, pin.name.ends_with("-rootless"));
            assert_eq!(Pin::find(pin.name), Some(pin));
            assert_eq!(Pin::find(&format!("mirror.example/b@{digest}")), Some(pin));
        }
        assert_eq!((DEFAULT_PIN.rootless, DEFAULT_ROOTLESS_PIN.rootless), (false, true));
        for unknown in ["", "v0.20.0", "moby/buildkit:v0.31.0", "moby/buildkit@", "moby/buildkit@a095"] {
            assert_eq!(Pin::find(unknown), None, "{unknown}");
        }
    }
}
