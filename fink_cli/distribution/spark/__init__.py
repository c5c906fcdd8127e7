"""The Spark job, the only room that imports pyspark: files of alerts in, Kafka messages out."""
