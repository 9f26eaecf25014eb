"""What is published: tag, plugin, selection, plan, batch."""
