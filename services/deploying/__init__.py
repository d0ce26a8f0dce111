"""What containers and clusters need: manifests rendered from the declarations, mounted secrets."""
