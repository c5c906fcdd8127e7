"""Alerts themselves: their schema, their encoding, what is chosen and made of them."""
