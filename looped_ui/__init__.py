"""What the pages share: controls bound to the link, and the backend behind a cache."""
