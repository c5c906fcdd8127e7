"""The columns of alerts: what files hold, what Spark reads, what is published."""
