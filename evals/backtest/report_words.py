"""What a backtest's figures mean, and what they do not: the parts of its report that are the same for every run."""

from evals.backtest.bootstrap import RESAMPLES
from tools.sandbox.protocol import COSTS, WINDOW

_messages = ", ".join(f"{channel} {minor:g}" for channel, minor in COSTS.message_minor.items())

DEFINITIONS = {
    "Failed payment": "An invoice whose first charge failed. Everything is counted from that moment.",
    "Recovered": f"Paid in full within {WINDOW.days} days of that first failure, by whatever way, and not cancelled before. A payment that"
    " comes later, or one whose customer cancelled, is not recovered.",
    "Net value": f"What was collected within the {WINDOW.days} days, less costs, in minor units: {COSTS.attempt_minor:g} for each attempt,"
    f" {COSTS.excess_attempt_minor:g} more for each one that a card network fines, and for each message ({_messages}).",
    "Lift": "Net value of Recoup over net value of the best other policy, less one.",
    "Oracle": "The best plan of one who knows what is hidden behind each decline (balance, payday, outage, how the customer takes messages)"
    " and the world's parameters, but not the draws that are still to come. Its value is an expectation, and may lie a little too high.",
    "Clairvoyant": "A bound that knows the draws too. Nobody can reach it; it says how much is luck.",
    "Score and edge": "How much of the way Recoup goes from the fixed ladder (score), or from the best other policy (edge), to the oracle,"
    " by net value. 0% is no better than that policy, 100% is the oracle.",
    "Best other policy": "The one with the most net value on training seeds, which are not among those reported; without training seeds, on"
    " the reported ones. Doing nothing and the oracle are not candidates.",
    "95% interval": f"From {RESAMPLES:,} resamples of accounts (all payments of an account go together), the same resample for all"
    " policies, so that what is compared stays paired. Where there is nothing to divide by, nothing is shown.",
    "Attempts per recovery": "All attempts of the policy, also on payments that were lost, over the number of recovered payments. The first"
    " charge, which failed, is not among them.",
    "By retries": "Of the recovered payments, the share paid by a charge that the policy made. The rest came from customers themselves.",
    "Rule breaches": "Attempts that a checker objects to which shares no code with the rules that policies ask.",
    "Calibration": "Whether attempts that were held to succeed with so many percent did so in so many of a hundred.",
}
LIMITS = (
    "Simulated. The population is made up, from published figures and ranges; your customers, banks and prices are others. A policy that"
    " was built by who built the world may know its habits better than yours; worlds that turn one thing up, and worlds of others, are the"
    " test of that, and your own holdout is the only proof.",
    "The intervals are about customers, not about worlds: they say how far other customers of the same seeds would move the figures. How"
    " far worlds differ shows in the table of seeds.",
    "The rivals are retry schedules as their makers describe them, rebuilt here, with our answers to events: a card that was updated is"
    " retried at once. They are not the makers' products.",
    "Net value counts what was collected within the window. That a customer who stays goes on paying, and that one who was annoyed leaves"
    " later, is not in it; cancellations are reported beside it.",
    "Several kinds of decline are looked at, each with its own 95% interval. With nine of them, one that looks worse by chance alone is no"
    " surprise.",
)
