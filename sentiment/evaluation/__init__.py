"""What a report holds: scores, baselines, errors, comparisons."""
