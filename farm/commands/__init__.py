"""The commands of `farm`, one file a family."""
