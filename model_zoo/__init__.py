"""Five published generative audio models, reimplemented to be read, and their presets."""
