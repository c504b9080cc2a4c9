"""Arrays in, numbers out: scores, intervals, calibration, decisions."""
