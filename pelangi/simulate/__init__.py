"""A synthetic city that plays officers, teams and the desk through the public HTTP API only."""

from pelangi.simulate.options import Accepted, Chances, Report, SimulateOptions, Stuck
from pelangi.simulate.play import play_all, simulate

__all__ = ["Accepted", "Chances", "Report", "SimulateOptions", "Stuck", "play_all", "simulate"]
