"""OCI as values: references, descriptors, manifests, and what registries differ in."""
