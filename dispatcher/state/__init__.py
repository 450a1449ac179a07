"""Everything that is shared through Redis: leases, outcomes, replies, claims, cancels, history."""
