"""Access control lists (ACLs): rules as data, what they decide, and those of a cluster."""
