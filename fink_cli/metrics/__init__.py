"""What an operator watches: collected once, and shown to Prometheus."""
