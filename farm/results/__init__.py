"""Reports of renders that have ended: manifest, contact sheet, verdicts."""
