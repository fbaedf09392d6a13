"""The steps in a cluster, for any target that has one."""
