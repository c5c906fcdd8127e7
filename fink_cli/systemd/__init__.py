"""fink as a service of systemd: its units, and what it tells the service manager."""
