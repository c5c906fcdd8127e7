"""The checks of `fink doctor`: this machine, the settings, the cluster and its topics."""
