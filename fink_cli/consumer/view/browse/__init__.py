"""The browser of `fink consume --browse`: a full-screen list of alerts."""
