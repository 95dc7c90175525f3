"""Worlds off the home ground: the same population with one thing turned up, to see what holds where nothing was tuned for it."""

from collections.abc import Mapping

from tools.sandbox.parameters import Parameters, parameters_of
from tools.sandbox.world import HomeWorld


def _with(**sections: Mapping[str, float]) -> HomeWorld:
    def draw(seed: int) -> Parameters:
        return parameters_of(seed).but(**sections)

    return HomeWorld(draw)


def no_paydays() -> HomeWorld:
    """Money comes to nobody regularly."""
    return _with(pay={"weekly": 0.0, "biweekly": 0.0, "semi_monthly": 0.0, "monthly": 0.0, "none": 1.0})


def outages() -> HomeWorld:
    """Issuers are often away, and much of what fails fails for that."""
    return _with(causes={"outage_processing": 0.15, "outage_issuer": 0.15}, issuer={"outage_chance": 0.35, "outage_hours_mean": 18.0})


def expired_heavy() -> HomeWorld:
    """Every third failure is an expired card."""
    return _with(causes={"expired": 0.45, "dead_said": 0.10})


def sca_heavy() -> HomeWorld:
    """Every third failure wants the customer's own confirmation."""
    return _with(causes={"authentication": 0.45})


def punishing() -> HomeWorld:
    """Every issuer takes repeated tries amiss, and badly."""
    return _with(issuer={"punishing_share": 1.0, "punished_times": 0.35})


FACTORIES = {
    "home": HomeWorld,
    "no-paydays": no_paydays,
    "outages": outages,
    "expired": expired_heavy,
    "sca": sca_heavy,
    "punishing": punishing,
}
