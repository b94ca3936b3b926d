"""What `deploy/` ships works: the image's steps. Rules and dashboard: `tests/console/web`."""
