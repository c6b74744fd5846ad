"""All mutants."""

from tests.mutants import cases, commands, services, streams
from tests.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (*cases.MUTANTS, *streams.MUTANTS, *commands.MUTANTS, *services.MUTANTS)

__all__ = ["MUTANTS", "Mutant"]
