"""What an operator asks of a cluster, ours or another: topics, users, access rules."""
