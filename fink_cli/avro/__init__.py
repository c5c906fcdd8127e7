"""Avro: schemas as a tree, messages into alerts, JSON or Arrow, and what is refused beforehand."""
