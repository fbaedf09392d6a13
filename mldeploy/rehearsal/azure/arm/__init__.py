"""Azure Resource Manager: the operations that a deployment uses."""
