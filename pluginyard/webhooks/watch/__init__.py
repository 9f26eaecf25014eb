"""Release tags of repositories that no webhook reports."""
