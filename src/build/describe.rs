//! The "Build environment" block that `build` shows before it starts.
//!
//! Knows its wording, which scripts that watch the Python program's log look for. Must not print it.

use super::request::{BuildKit, BuildRequest};
use crate::escape::escape;

/// The block, with a line end after its last line.
pub fn describe(request: &BuildRequest) -> String {
    let show = |text: &str| escape(text.as_bytes()).into_owned();
    let or = |values: &[String], separator: &str, absent: &str| {
        if values.is_empty() { absent.to_owned() } else { show(&values.join(separator)) }
    };
    let flag = |value: bool| if value { "True" } else { "False" };
    let buildkit = match &request.builder {
        BuildKit::Image { reference, .. } => show(&(request.runtime.image)(reference)),
        BuildKit::Existing(name) => format!("(builder {})", show(name)),
    };
    let absent = "(not provided)";
    let extra = or(&request.extra_args, " ", absent);
    let (buildkit_args, buildx_args) = if request.runtime.args_option == "--buildx-args" {
        (absent.to_owned(), extra)
    } else {
        (extra, absent.to_owned())
    };
    format!(
        "Build environment:\n\
         - Container runtime: {runtime}\n\
         - BuildKit image: {buildkit}\n\
         - Rootless support: {rootless}\n\
         - Caching enabled: {cache}\n\
         - Build context: {context}\n\
         - Dockerfile: {file}\n\
         - Output: {output}\n\
         \n\
         Build parameters:\n\
         - SOURCE_DATE_EPOCH: {sde}\n\
         - Build args: {build_args}\n\
         - Annotations: {annotations}\n\
         - Tag: {tags}\n\
         - Platform: {platform}\n\
         \n\
         Podman-only arguments:\n\
         - BuildKit arguments: {buildkit_args}\n\
         \n\
         Docker-only arguments:\n\
         - Docker Buildx arguments: {buildx_args}\n",
        runtime = request.runtime.name,
        rootless = flag(request.rootless),
        cache = flag(request.cache),
        context = show(request.context.as_str()),
        file = request.file.as_deref().map_or_else(|| absent.to_owned(), show),
        output = show(&request.output),
        sde = request.source_date_epoch,
        build_args = or(&request.build_args, ",", absent),
        annotations = or(&request.annotations, ",", absent),
        tags = or(&request.tags, ",", absent),
        platform = or(&request.platforms, ",", "(default)"),
    )
}
