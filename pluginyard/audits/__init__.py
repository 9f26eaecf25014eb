"""What is published, compared with what was there before."""

from pluginyard.audits.drift import Drift, judge_drift
from pluginyard.audits.records import Record, RecordedVersion, parse_record, record_key
from pluginyard.audits.rules import DRIFT_RULES
from pluginyard.audits.scope import (
    Scope,
    SeenPlugin,
    SeenVersion,
    SourcePlugin,
    choose_names,
    choose_scope,
    find_source_plugins,
    newest_versions,
    read_source_plugins,
)
