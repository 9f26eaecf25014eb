"""What a site, a repository and the receiver are configured with."""
