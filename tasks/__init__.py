"""Act: one module per outside thing; the doors within import no Prefect."""
