"""The receiver of webhooks: `python -m deployments.receiver`."""
