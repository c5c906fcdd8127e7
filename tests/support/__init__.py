"""What the tests use beside pytest: one module for each thing that they need."""
