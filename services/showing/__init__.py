"""What people are shown of the system, for whoever shows it: the command line, the notifier."""
