"""A workflow that lints, tests, builds and deploys: written from what stands in the folder, run by somebody else."""
