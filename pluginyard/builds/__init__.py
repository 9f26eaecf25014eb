"""How a plugin is built: builder, recipe, sandbox, fingerprint, packing, log, failures."""
