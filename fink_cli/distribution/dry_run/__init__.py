"""What would be published, tried on a sample in a process of its own."""
