"""The objects that a cluster is given: one file a gateway."""
