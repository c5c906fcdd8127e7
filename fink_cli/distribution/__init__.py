"""Publish the science database: a Spark job in a process of its own, and those who follow it."""
