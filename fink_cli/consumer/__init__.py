"""Reading alerts back from the topics of a cluster."""
