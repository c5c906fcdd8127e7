"""The driver: the process that publishes, batch after batch."""
