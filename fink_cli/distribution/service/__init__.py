"""Starting, following and stopping the driver's process; the status that it writes."""
