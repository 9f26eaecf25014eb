"""The spec.yaml of a plugin."""
