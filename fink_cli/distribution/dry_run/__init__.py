"""What would be published, tried on a sample, and what was; each asked of a process of its own."""
