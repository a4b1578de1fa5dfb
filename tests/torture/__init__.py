"""What zslearn promises to survive, tried thousands of times: ``make torture``."""
