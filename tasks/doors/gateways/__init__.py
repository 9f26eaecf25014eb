"""The door to a real gateway: find an Envoy, let it load one module, send it requests.

No Prefect here, and no SDK: Envoy is a process of its own, ended by its id on every path.
"""

from tasks.doors.gateways.envoy import Envoy, find_envoy
from tasks.doors.gateways.loading import load_in_envoy
