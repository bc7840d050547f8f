"""Pictures as files, and back. No torch and no Ray here."""
