"""What is painted and what came of it, as plain values. No torch and no Ray here."""
