"""What a campaign file means, from its text to each of its renders. Pure."""
