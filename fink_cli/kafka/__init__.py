"""Kafka clients: their settings, the errors they raise, and the offsets they read."""
