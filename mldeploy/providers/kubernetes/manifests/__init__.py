"""Pure builders of what is sent to a cluster: settings in, manifests out."""
