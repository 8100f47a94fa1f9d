//! The command line in the eyes of the real podman: what it would mount and run. The container is made, not started.

use repro_build::build::{BuildRequest, Files, plan};

use super::fake::Fake;
use crate::support::{skipped, tool};

#[test]
fn podman_reads_hostile_paths_as_they_are_meant() {
    let Some(podman) = tool("podman") else { return };
    let fake = Fake::new("success");
    let [context, out, file] = ["c:x, \"y,ro=false", "o:x, \"z,dst=", "F:,\""].map(|name| fake.path(name));
    std::fs::create_dir(&context).unwrap();
    std::fs::create_dir(&out).unwrap();
    std::fs::write(&file, "FROM scratch\n").unwrap();
    let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let output = format!("{}/i,push=true\".tar", text(&out));
    let request: BuildRequest = fake.request("podman", |flags| {
        flags.context = text(&context);
        flags.output = Some(output.clone());
        flags.file = Some(text(&file));
        flags.buildkit_image = Some("localhost/made-up:1".into());
    });
    let store = ["root", "runroot"].map(|name| format!("--{name}={}", fake.path(name).display()));
    let global = [&store[0], &store[1], "--storage-driver=vfs"];
    let run = |args: &[&str]| podman.command().args(global).args(args).output().unwrap();

    std::fs::write(fake.path("empty.tar"), [0; 1024]).unwrap();
    let imported = run(&["import", &text(&fake.path("empty.tar")), "localhost/made-up:1"]);
    if !imported.status.success() {
        return skipped(&format!("podman does not run here: {}", String::from_utf8_lossy(&imported.stderr)));
    }
    let command = plan(&request, &Files::direct(&request)).commands.remove(0);
    let words: Vec<&str> = command.argv.iter().skip(2).map(String::as_str).collect();
    let made = run(&[&["create"], &words[..]].concat());
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let container = String::from_utf8(made.stdout).unwrap();

    let inspected = run(&["inspect", container.trim()]).stdout;
    let inspected: serde_json::Value = serde_json::from_slice(&inspected).unwrap();
    let mounts = inspected[0]["Mounts"].as_array().unwrap().iter();
    let mounts: Vec<_> =
        mounts.map(|m| (m["Destination"].as_str(), m["Source"].as_str(), m["RW"].as_bool())).collect();
    for (to, from, writable) in [
        ("/tmp/work", &context, false),
        ("/tmp/image", &out, true),
        ("/tmp/dockerfile/Dockerfile", &file, false),
    ] {
        let expected = (Some(to), from.to_str(), Some(writable));
        assert!(mounts.contains(&expected), "{mounts:?} lacks {expected:?}");
    }
    assert_eq!(mounts.len(), 4, "and the cache: {mounts:?}");
    assert_eq!(inspected[0]["HostConfig"]["SecurityOpt"], serde_json::json!(["label=disable"]));
    let given = inspected[0]["Config"]["Cmd"].as_array().unwrap();
    let own: Vec<_> = words.iter().skip_while(|word| **word != "build").collect();
    assert_eq!(
        given.iter().map(|word| word.as_str().unwrap()).collect::<Vec<_>>(),
        own.into_iter().copied().collect::<Vec<_>>()
    );
    run(&["rm", "--force", "--volumes", container.trim()]);
}
