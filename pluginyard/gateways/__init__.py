"""Gateways: host profiles, the verdict, the probe of a real one and its outcome; the judge and wasm are rooms below."""

from pluginyard.gateways.bootstrap import LISTENER, reason_of_refusal, render_bootstrap
from pluginyard.gateways.hosts import HIGRESS, HOSTS
from pluginyard.gateways.outcome import choose_probe, find_crashes, require_alive, summarize_outcome
from pluginyard.gateways.probe import Answer, Exchange, Expectation, Probe, ProbeResult, judge_answers
from pluginyard.gateways.verdict import Verdict
