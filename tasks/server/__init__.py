"""What is asked of the Prefect server: artifacts, variables, blocks, limits, runs."""
