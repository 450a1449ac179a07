"""Check-lists of a rollout against a deployment that runs: `dispatcher check`."""
