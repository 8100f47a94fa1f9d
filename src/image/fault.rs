//! What can be wrong with the documents of an image, as one table.

use crate::{grade::fault_kinds, location::Location};

/// Something wrong with a document or with what it points to.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// Where.
    pub at: Location,
    /// More, in words; may be empty.
    pub detail: String,
}

fault_kinds! {
    /// The kinds of fault that resolving an image can find.
    FaultKind {
        NoIndex Error "document.no-index"
            "the archive has content but neither index.json nor manifest.json"
            "nothing says which image it holds; a truncated copy looks like this"
        NoLayoutFile Warning "document.no-layout-file"
            "oci-layout is missing"
            "the OCI layout spec requires it; some readers refuse the archive, others read it"
        LayoutVersion Error "document.layout-version"
            "oci-layout names a version that is not 1.0.0"
            "nobody knows what such a layout means"
        FieldMissing Error "document.field-missing"
            "a required field is missing"
            "readers fill the gap differently"
        FieldType Error "document.field-type"
            "a field has the wrong type or an impossible value"
            "some readers refuse the document, others read a zero or an empty string"
        SchemaVersion Error "document.schema-version"
            "schemaVersion is not 2"
            "other versions are other formats"
        MediaTypeKind Error "document.media-type"
            "a document is of another kind than its media type says"
            "readers that trust the type and readers that look at the content get different images"
        ConfigUnreadable Error "config.unreadable"
            "an image has no configuration that can be read"
            "nothing says what its layers must hold, so nothing of them was verified"
        ConfigMediaType Warning "config.media-type"
            "an image's configuration has a media type that is none of a configuration"
            "some readers run such an image, others take it for an artifact and refuse it"
        MediaTypeDiffers Warning "document.media-type-differs"
            "a document's own mediaType differs from its descriptor's"
            "the spec asks for the same string in both places"
        ManifestAndIndex Error "document.manifest-and-index"
            "one document is a manifest and an index at once"
            "clients disagree which image such a digest names (CVE-2021-41190)"
        IndexCycle Error "document.index-cycle"
            "an index contains itself"
            "digests cannot do that, so at least one of them is wrong"
        IndexDepth Error "document.index-depth"
            "indexes are nested deeper than the limit"
            "readers give up at different depths, or not at all"
        NoImages Warning "document.no-images"
            "the index names no image"
            "there is nothing to load; a fresh layout looks like this"
        NoCompleteImage Error "document.no-complete-image"
            "what index.json or manifest.json lists leads to no complete image"
            "every platform of it lacks its manifest, config or a layer: containerd and docker refuse to import it"
        BlobMissing Error "blob.missing"
            "content that a document refers to is not in the archive"
            "the image cannot be loaded or verified"
        PlatformAbsent Note "blob.platform-absent"
            "a listed platform is not in the archive"
            "docker save writes only the platforms it has"
        ForeignAbsent Warning "blob.foreign-absent"
            "a non-distributable layer is not in the archive and was not verified"
            "it would be fetched from elsewhere when the image is used"
        DigestSyntax Error "blob.digest-syntax"
            "a digest is not valid"
            "a reader that makes a path of it reads something else"
        SizeSyntax Error "blob.size-syntax"
            "a descriptor's size is missing or no whole number"
            "without it a reader cannot know when to stop"
        DescriptorMediaType Error "blob.media-type"
            "a descriptor has no media type"
            "readers guess what the content is, each in its own way"
        BlobBrokenLink Error "blob.broken-link"
            "content is a link that leads nowhere inside the archive"
            "a reader that follows it reads files of the machine instead of the image"
        BlobNotAFile Error "blob.not-a-file"
            "content is no regular file"
            "there are no bytes to verify"
        BlobIsLink Note "blob.is-link"
            "content is reached through a link"
            "docker-archive does this for shared layers; some OCI readers do not follow links"
        EmbeddedData Error "blob.embedded-data"
            "a descriptor's embedded data is not the content its digest names"
            "readers that use it get other content than readers that fetch the blob"
    }
}
