"""What did it really use? Readers of the logs that agent CLIs leave on disk."""
