"""The engine: from what a user names to a complete report.

The command line and Python resolve a subject and give it to the engine; nothing else puts
counting, measuring, cross-checking and the paper's facts together. `inspecting` inspects one
subject, `candidates` gathers what is ranked, `standings` finds a model's place beside the paper's.
"""
