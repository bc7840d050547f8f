"""Models, schedulers and adapters as their files describe them. No torch and no Ray here."""
