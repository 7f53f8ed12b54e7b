"""Alert rules: what a rule may say, how it is stored, edited and shown."""
