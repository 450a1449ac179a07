"""Output for a terminal: tables that adapt to its width."""
