"""The source: a folder of Parquet files, and which of them wait to be published."""
