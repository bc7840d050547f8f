"""What is said of renders that have ended: manifest, contact sheet, verdicts."""
