"""What runs the Pods: on which node, from which image, with which variables, and whether they are ready."""
