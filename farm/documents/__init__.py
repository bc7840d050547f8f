"""Files that strangers wrote, read strictly: YAML, JSON, CSV and text."""
