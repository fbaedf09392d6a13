"""What a cluster does by itself: rollouts, addresses, and taking away what is to go."""
