"""The spec.yaml of a plugin."""

from pluginyard.specs.check import MAX_SPEC_BYTES, check_spec, choose_placement, judge_documents
