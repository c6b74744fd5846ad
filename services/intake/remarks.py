"""What intake says about a value, by code, from `data/remarks.yaml`; never the value itself."""

from pelangi.chassis.web import FieldError
from services.intake.requirements import Words
from services.intake.tables import Table, load


class Remarks(Table):
    """errors refuse a body, warnings go along with its acceptance."""

    errors: dict[str, Words]
    warnings: dict[str, Words]


TABLE = load(Remarks, "remarks")


def error(pointer: str, code: str) -> FieldError:
    """A broken rule at this place. Raises KeyError for a code without words."""
    return _remark(TABLE.errors[code], pointer, code)


def warning(pointer: str, code: str) -> FieldError:
    """Something odd but accepted at this place. Raises KeyError for a code without words."""
    return _remark(TABLE.warnings[code], pointer, code)


def _remark(words: Words, pointer: str, code: str) -> FieldError:
    return FieldError(pointer, code, f"{words.id} / {words.en}")
