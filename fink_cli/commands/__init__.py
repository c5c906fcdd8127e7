"""The commands: each parses, calls one function, and hands the result to the output."""
