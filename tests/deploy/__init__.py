"""What `deploy/` ships works: the image's steps here; rules and dashboard are in `tests/web`."""
