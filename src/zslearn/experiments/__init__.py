"""Many runs as data: experiments, what they consist of, and who executes them."""
