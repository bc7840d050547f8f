"""Workers on a Ray cluster. Only this room calls Ray."""
