"""What is asked of the Prefect server: artifacts, variables, blocks, limits, runs."""

from tasks.server.artifacts import post_drift, read_records
from tasks.server.blocks import RegistryCredentials, find_credentials
from tasks.server.limits import LIMIT_PREFIX, at_most
from tasks.server.run_page import RunPage, post_report, post_table, post_watch
from tasks.server.runs import find_deployment, look_up_runs, start_release
from tasks.server.variables import find_site_variable
