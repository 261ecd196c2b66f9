"""One module per question a page asks: settings in, a result with arrays, verdict and provenance out."""
