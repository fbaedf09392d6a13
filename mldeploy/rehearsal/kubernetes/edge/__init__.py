"""Where requests come into a cluster by host name: the controllers of Ingresses and of Gateways."""
