"""Workers on a Ray cluster. Ray is called from here alone."""
