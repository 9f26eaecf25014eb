"""The doors to the outside: one SDK each, no Prefect."""
