"""The publisher: it runs in Spark's workers and writes alerts in transactions."""
