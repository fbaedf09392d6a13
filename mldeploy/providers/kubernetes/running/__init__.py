"""What runs in a cluster: its pods, its versions, a rollout and the verdict on one."""
