"""Names of the cluster that complete a word: kept in a cache, and refreshed in the background."""
