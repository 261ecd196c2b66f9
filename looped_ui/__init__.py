"""The shared part of the pages: controls bound to the link, and the backend behind a cache."""
