"""OCI as values: references, descriptors, manifests, and what registries differ in."""

from pluginyard.oci.answers import (
    AbsentError,
    ErrorAnswer,
    RegistryBusyError,
    denied,
    error_of,
    error_of_other,
    is_done,
    parse_tags,
)
from pluginyard.oci.challenges import choose_challenge
from pluginyard.oci.descriptors import (
    ARCHIVE_LAYER,
    BUILDER,
    CREATED,
    DOCKER_ARCHIVE_LAYER,
    DOCKER_MANIFEST,
    DOCKER_MANIFEST_LIST,
    FINGERPRINT,
    ICON,
    INDEX,
    MANIFEST,
    MANIFEST_TYPES,
    README,
    REF_NAME,
    REVISION,
    SOURCE,
    SPEC,
    TITLE,
    VERSION,
    WASM_LAYER,
    Descriptor,
    StoredManifest,
    canonical_json,
)
from pluginyard.oci.digests import DIGEST, HashedCount, check_digest, digest_from, digest_of, digest_of_file, hex_of
from pluginyard.oci.manifests import (
    MANIFEST_LIMIT,
    MalformedManifestError,
    annotations_of,
    blobs_of,
    children_of,
    layers_of,
    parse_annotations,
    parse_descriptor,
    parse_fields,
    parse_list,
    read_manifest,
    wrong_manifest,
)
from pluginyard.oci.origins import add_query, origin_of, resolve_location
from pluginyard.oci.quirks import IMAGE_CONFIG, UNKNOWN_CONFIG, find_quirks, matches_host
from pluginyard.oci.references import (
    ArtifactReference,
    Destination,
    Scheme,
    check_repository,
    check_tag,
    parse_destination,
    parse_reference,
)
from pluginyard.oci.retries import choose_delay, is_transient_answer, is_transient_status
from pluginyard.oci.taken import is_published
from pluginyard.oci.tokens import actions_of, check_realm, parse_token, scope_text, scopes_of
