"""Gateways: host profiles, the verdict, the probe of a real one. The judge and wasm are rooms of their own."""

from pluginyard.gateways.bootstrap import LISTENER, reason_of_refusal, render_bootstrap
from pluginyard.gateways.hosts import HIGRESS, HOSTS
from pluginyard.gateways.probe import Answer, Exchange, Expectation, Probe, ProbeResult, judge_answers
from pluginyard.gateways.verdict import Verdict
