"""From a merchant's history to a model: what was known before each retry, weights, trees, and a card that says how good they are."""
