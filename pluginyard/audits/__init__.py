"""What is published, compared with what was there before."""
