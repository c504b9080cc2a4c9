"""What everything may use: settings, errors, files, the cache."""
