"""Amazon Web Services: the registry (`ecr`). Everything here speaks to it through boto3, which is the extra `aws`."""
