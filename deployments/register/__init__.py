"""Make a Prefect server ready: `python -m deployments.register`."""

from deployments.register.pool_templates import POOL, RUN_ENVIRONMENT
