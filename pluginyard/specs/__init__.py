"""The spec.yaml of a plugin."""

from __future__ import annotations

from pluginyard.specs.check import MAX_SPEC_BYTES, check_spec, choose_placement, judge_documents

__all__ = ["MAX_SPEC_BYTES", "check_spec", "choose_placement", "judge_documents"]
