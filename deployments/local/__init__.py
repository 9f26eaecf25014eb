"""Everything on one machine: `python -m deployments.local` (`make up`)."""
