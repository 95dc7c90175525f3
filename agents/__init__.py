"""Judgement: each agent proposes and checks, purely; none stores or speaks."""
