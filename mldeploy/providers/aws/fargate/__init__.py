"""The target `fargate`: the app runs as a service of AWS Fargate."""
