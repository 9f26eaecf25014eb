"""Make a Prefect server ready: `python -m deployments.register`."""
