"""What may be wrong, looked at: this machine, the settings, the way to the cluster, its topic."""
