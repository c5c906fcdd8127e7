"""The commands by the names that the original program gave them."""
