"""All mutants."""

from tests.mutants import cases, commands, planner, services, streams
from tests.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (*cases.MUTANTS, *streams.MUTANTS, *commands.MUTANTS, *services.MUTANTS, *planner.MUTANTS)

__all__ = ["MUTANTS", "Mutant"]
