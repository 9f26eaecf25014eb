"""The judge: what every gateway would say of an artifact, and why. Its caller brings the bytes."""

from pluginyard.gateways.judge.archive import PLUGIN, open_archive
from pluginyard.gateways.judge.artifact import ResolveChild, UnreadableManifestError, resolve_artifact
from pluginyard.gateways.judge.verdicts import add_findings, judge_artifact, judge_naming, judge_reference, judge_tags
