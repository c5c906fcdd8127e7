"""What a distribution has published: records on the cluster, and who may write them."""
