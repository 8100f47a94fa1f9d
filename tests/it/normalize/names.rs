//! Names on their way from one layout to the other.

use serde_json::json;

use super::*;

const FULL: &str = "io.containerd.image.name";
const TAG: &str = "org.opencontainers.image.ref.name";

fn to(layout: Layout) -> Options {
    Options { layout: Some(layout), ..Options::new(Level::Archive, None) }
}

/// The good image with these annotations in `index.json`.
fn annotated(annotations: Value) -> ImageBuilder {
    let annotate = move |index: &mut Value| index["manifests"][0]["annotations"] = annotations.clone();
    ImageBuilder::good().layout(Written::Oci).json(Doc::Index, annotate)
}

/// dockerd and podman refuse an archive with any other names than NAME:TAG.
#[test]
fn only_names_with_a_tag_stand_in_manifest_json() {
    let digest = format!("docker.io/library/w@sha256:{}", "a".repeat(64));
    for (annotations, names) in [
        (json!({FULL: "docker.io/library/w:1"}), json!(["docker.io/library/w:1"])),
        (json!({TAG: "reg:5000/foo:1"}), json!(["reg:5000/foo:1"])),
        (json!({TAG: "reg:5000/foo"}), Value::Null),
        (json!({TAG: "1"}), Value::Null),
        (json!({FULL: digest}), Value::Null),
    ] {
        let (out, _) = run(&annotated(annotations.clone()).tar(), &to(Layout::Docker)).unwrap();
        assert_eq!(json(&files(&out)["manifest.json"])[0]["RepoTags"], names, "{annotations}");
    }
}

#[test]
fn names_of_manifest_json_move_to_index_json() {
    let names = |index: Option<Value>, tags: Value| {
        let mut image =
            ImageBuilder::good().json(Doc::DockerManifest, move |list| list[0]["RepoTags"] = tags.clone());
        image = image.json(Doc::Index, move |list| match &index {
            Some(annotations) => list["manifests"][0]["annotations"] = annotations.clone(),
            None => drop(list["manifests"][0].as_object_mut().unwrap().remove("annotations")),
        });
        let (out, outcome) = run(&image.tar(), &to(Layout::Oci)).unwrap();
        assert!(run(&out, &to(Layout::Oci)).unwrap().0 == out);
        let manifests = json(&files(&out)["index.json"])["manifests"].clone();
        let manifests = manifests.as_array().unwrap();
        assert!(manifests.iter().all(|manifest| manifest["digest"] == manifests[0]["digest"]));
        let told = outcome.changes.iter().any(|change| change.subject == "index.json");
        (manifests.iter().map(|manifest| manifest["annotations"].clone()).collect::<Vec<_>>(), told)
    };
    // What containerd writes of a name.
    let foo = json!({FULL: "docker.io/library/foo:1", TAG: "1"});
    let bar = json!({FULL: "docker.io/library/bar:2", TAG: "2"});
    let full = json!({TAG: "docker.io/library/foo:1"});
    let other = json!({TAG: "1", "x": "y"});
    assert_eq!(names(None, json!(["foo:1", "bar:2"])), (vec![foo.clone(), bar.clone()], true));
    assert_eq!(names(Some(foo.clone()), json!(["bar:2", "foo:1"])), (vec![foo.clone(), bar.clone()], true));
    assert_eq!(names(Some(full.clone()), json!(["docker.io/library/foo:1", "foo:1"])), (vec![full], false));
    let both = json!({FULL: "docker.io/library/foo:1", TAG: "1", "x": "y"});
    assert_eq!(names(Some(other), json!(["foo:1"])), (vec![both], true));
}
