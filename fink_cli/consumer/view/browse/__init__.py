"""`fink consume --browse`: a list of alerts to move through, on the whole terminal."""
