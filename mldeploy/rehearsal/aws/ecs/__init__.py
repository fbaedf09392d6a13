"""ECS on Fargate: what moto takes note of is run here, as containers on this machine's engine."""
