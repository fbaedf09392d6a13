"""Google Kubernetes Engine: clusters whose API is the Kubernetes stand-in, each at an address of its own."""
