"""The registry's rules as one page, generated from the tables of the services: `docs/rules.md`."""

from collections.abc import Iterable, Mapping, Sequence

from pelangi.contracts.codes import ServiceKind
from pelangi.contracts.reasons import REASONS
from portal.texts import Words as Labels
from services.intake import catalogue, eligibility, matching, names, nik, remarks, requirements
from services.intake.nik import Vector, Vectors
from services.intake.requirements import Requirements
from services.intake.tables import load
from services.issuance.documents import RULES as YIELDS
from services.issuance.documents import ServiceRule
from services.scheduling.reference import service_minutes

_HEAD = """# The rules of the registry

Generated from the tables by `make rules`; do not edit it. `make check` fails where it differs from them.
Every table is a YAML file that its model validates when the service starts: a service, reason or requirement that is
missing in it, or a word that is not known, stops the start.

| table | file |
|---|---|
| regions a NIK may begin with | `services/intake/data/provinces.yaml` |
| test vectors of the NIK | `services/intake/data/nik_vectors.yaml` |
| names in new records | `services/intake/data/names.yaml` |
| what is said about a value | `services/intake/data/remarks.yaml` |
| spellings of one name | `services/intake/data/spellings.yaml` |
| who may get what | `services/intake/data/eligibility.yaml` |
| what to bring | `services/intake/data/requirements.yaml` |
| standard times | `services/intake/data/services.yaml` |
| what a service yields, what finishes it | `services/issuance/data/services.yaml` |
| minutes and equipment | `services/scheduling/data/services.yaml` |
| reasons | `pelangi/contracts/data/reasons.yaml` |
"""

_NIK_RULES: Sequence[tuple[str, str, str]] = (
    ("after stripping spaces, dots and dashes exactly 16 ASCII digits", "error", "nik_format"),
    ("the province is one of today's, or a former one (then `nik_region_unknown`)", "error", "nik_province"),
    ("regency and district are not 00", "error", "nik_region"),
    ("day 01-31 or 41-71 (women), month 01-12, a date that exists in some possible century", "error", "nik_birth_date"),
    ("the serial is not 0000", "error", "nik_serial"),
    ("a region that our data would know, and does not", "warning", "nik_region_unknown"),
    ("another region than the city's: nothing is said, it is very common", "-", ""),
    ("the declared birth date, as far as it is known, is not the one in the NIK", "warning", "nik_birth_mismatch"),
    ("the declared sex is not the one in the NIK", "warning", "nik_sex_mismatch"),
    ("the date lies in the future in every century", "error", "nik_birth_date"),
    ("all digits equal, or 1234567890123456 (looked at first)", "error", "nik_placeholder"),
    ("it equals the own family card number", "warning", "nik_placeholder"),
    (
        "read as 19YY because 20YY lies ahead, 99 years or older, and no declared date confirms it",
        "warning",
        "nik_century_assumed",
    ),
)
"""Numbered as in the domain reference; the two about made-up numbers are both its number 11."""
_NUMBERS = (*range(1, 12), 11, 12)

_LABELS = Labels("id")


def page() -> str:
    """The whole page."""
    return "\n".join(
        (_HEAD, *_nik(), *_services(), *_requirements(), *_eligibility(), *_reasons(), *_other_remarks(), *_spellings())
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(str(cell) for cell in line) + " |" for line in lines] + [""]


def _nik() -> list[str]:
    vectors = load(Vectors, "nik_vectors")
    regions = nik.REGIONS
    rules = zip(_NUMBERS, _NIK_RULES, strict=True)
    known = "; ".join(
        f"{regions.provinces[p]}: {', '.join(f'{p}{code} {name}' for code, name in known.items())}"
        for p, known in regions.regencies.items()
    )
    return [
        "## NIK",
        "",
        "An error refuses the body (422, pointer `#/persons/i/nik`); a warning goes along with its acceptance. Passing proves",
        "neither that the NIK exists nor whose it is: only SIAK can. The century is the latest whose date is not in the future;",
        "a declared birth date of the other century is trusted.",
        "",
        *_table(("#", "rule", "level", "code"), ((n, rule, level, _code(code)) for n, (rule, level, code) in rules)),
        f"{len(regions.provinces)} provinces: " + ", ".join(f"{code} {name}" for code, name in regions.provinces.items()) + ".",
        "Former: " + ", ".join(f"{code} {name}" for code, name in regions.former.items()) + ".",
        f"Regencies known: {known}. Of 1971 the districts are known too.",
        "",
        f"{len(vectors.vectors)} test vectors, as of {vectors.reference_date}; all of nobody (serials from 9000):",
        "",
        *_table(("NIK", "result"), ((f"`{v.nik}`", _result(v)) for v in vectors.vectors)),
    ]


def _code(code: str) -> str:
    return f"`{code}`" if code else ""


def _result(vector: Vector) -> str:
    if vector.errors:
        return "error " + ", ".join(vector.errors)
    warnings = f", warning {', '.join(vector.warnings)}" if vector.warnings else ""
    return f"{vector.sex}, {vector.birth_date}{warnings}"


def _services() -> list[str]:
    minutes, times = service_minutes(), catalogue.TABLE.standard_working_days
    slow = ", ".join(minutes.slow_needs)
    return [
        "## Services",
        "",
        f"Minutes are for one person; {minutes.slow_factor} times as long for {slow}. Days are working days from receipt",
        "(`due_on`, the longest of the request's services). Always taken along: "
        + ", ".join(minutes.always)
        + "; for "
        + ", for ".join(f"{need}: {', '.join(what)}" for need, what in minutes.for_needs.items())
        + ".",
        "",
        *_table(
            ("service", "name", "yields", "finished by", "minutes", "equipment", "days"),
            (
                (
                    f"`{kind}`",
                    _LABELS.label("ServiceKind", kind),
                    _yield(YIELDS[kind]),
                    YIELDS[kind].finished_by,
                    minutes.minutes[kind],
                    ", ".join(minutes.equipment[kind]) or "-",
                    times[kind],
                )
                for kind in ServiceKind
            ),
        ),
    ]


def _yield(rule: ServiceRule) -> str:
    documents = ", ".join(rule.documents) or "nothing"
    return documents + (" (from a record)" if rule.from_record else "")


def _requirements() -> list[str]:
    table = requirements.TABLE
    general = (f"if {table.conditions[condition].en}: {_named(code)}" for code, condition in table.everybody.items())
    return [
        "## What to bring",
        "",
        "None of it blocks a request: it becomes `missing[]`, with what the form tells taken into account. Beside it NAME, NIK,",
        "FAMILY_CARD_NUMBER, CONTACT and ADDRESS are named where they are not given. Not asked for: "
        + ", ".join(f"`{code}` beside {maker}" for code, maker in table.made_by.items())
        + ".",
        "Of every service but CONSULTATION: " + "; ".join(general) + ".",
        "",
        *(line for kind in ServiceKind for line in _of_service(kind, table.services[kind])),
        *_table(
            ("code", "Indonesian", "English"), ((f"`{code}`", words.id, words.en) for code, words in sorted(table.codes.items()))
        ),
        *_table(
            ("condition", "bila …", "if …"), ((f"`{c}`", words.id, words.en) for c, words in sorted(table.conditions.items()))
        ),
    ]


def _of_service(kind: ServiceKind, rules: Requirements) -> list[str]:
    conditions = requirements.TABLE.conditions

    def when(pairs: Mapping[str, str]) -> str:
        return "; ".join(f"{conditions[condition].en}: {_named(code)}" for code, condition in pairs.items())

    proofs = (_named(c) + (f", or else {_named(rules.fallback[c])}" if c in rules.fallback else "") for c in rules.evidence)
    parts = (
        ("always", "; ".join(map(_named, (*rules.required, *rules.also)))),
        ("one of", "; ".join(map(_named, rules.any_of))),
        ("named first for the vulnerable", _named(rules.vulnerable) if rules.vulnerable else ""),
        ("proofs", "; ".join(proofs)),
        ("if", when(rules.conditional)),
        ("of the above only if", when(rules.only_if)),
        ("not for", when(rules.unless)),
        ("before anything else", "; ".join(map(_named, rules.before))),
        ("needs the state", f"`{rules.state}`" if rules.state else ""),
        ("in person", "nobody can come instead" if rules.in_person else ""),
        ("also changes", ", ".join(f"`{what}`" for what in rules.side_outputs)),
    )
    told = [f"* {what}: {text}" for what, text in parts if text] or ["* nothing"]
    return [f"### {kind}: {_LABELS.label('ServiceKind', kind)}", "", *told, ""]


def _named(code: str) -> str:
    return f"{requirements.TABLE.codes[code].en} (`{code}`)"


def _eligibility() -> list[str]:
    table = eligibility.TABLE
    rows = (
        (
            f"`{kind}`",
            f"from {rule.at_least}" if rule.at_least is not None else f"under {rule.below}",
            "is enough" if rule.married is eligibility.Married.ENOUGH else "excludes",
            f"422 `{eligibility.NOT_ELIGIBLE}`"
            if rule.otherwise is eligibility.Otherwise.REFUSED
            else f"warning `{eligibility.CARD_LATER}`",
        )
        for kind, rule in table.ages.items()
    )
    return [
        "## Who may get what",
        "",
        "Age in completed years, from the birth date, else from the NIK; who was born on 29 February completes a year on 1 March",
        "where there is no 29th. An age refuses only where the birth date is exact; otherwise the same is a warning. Unknown",
        "marriage counts as unmarried.",
        "",
        *_table(("service", "age", "marriage", "otherwise"), rows),
        "Always with a warning: " + ", ".join(f"`{kind}` `{code}`" for kind, code in table.notes.items()) + ".",
        "",
        "Reported later than this many days after the event it is marked as late, with the same requirements: "
        + ", ".join(f"{kind} {days}" for kind, days in table.report_within_days.items())
        + ".",
        "",
    ]


def _reasons() -> list[str]:
    return [
        "## Reasons",
        "",
        "Of a reason the public learns the blame only. The third failed visit goes to a human, never to a refusal.",
        "",
        *_table(
            ("deferral", "blame", "clock", "another visit"),
            (
                (
                    f"`{reason}`",
                    row.blame,
                    "stands still" if row.clock_paused else "runs",
                    "by itself" if row.auto_reschedule else "a human looks first",
                )
                for reason, row in REASONS.deferral.items()
            ),
        ),
        *_table(("rejection", "blame"), ((f"`{reason}`", row.blame) for reason, row in REASONS.rejection.items())),
    ]


def _other_remarks() -> list[str]:
    rows = (
        (f"`{code}`", level, words.id, words.en)
        for level, table in (("error", remarks.TABLE.errors), ("warning", remarks.TABLE.warnings))
        for code, words in table.items()
    )
    services = ", ".join(names.TABLE.new_records)
    return [
        "## What is said about a value",
        "",
        f"Names are looked at only where a new record is made ({services}): at most {names.TABLE.max_length} letters, at least",
        f"{names.TABLE.min_words} words, Latin letters only. Names and family card numbers are never an error.",
        "",
        *_table(("code", "level", "Indonesian", "English"), rows),
    ]


def _spellings() -> list[str]:
    table = matching.TABLE
    letters = ", ".join(f"{old} as {new}" for old, new in table.letters.items())
    return [
        "## Spellings of one name",
        "",
        "Only for suggesting requests about the same person; what is stored is what was said. Requests are alike where a NIK",
        "is the same, or name, birth year and kelurahan are, unless both know the mother's name and it differs. Nothing is",
        "ever merged by itself.",
        f"Left out: {', '.join(table.titles)}, and what follows a comma. Old letters: {letters}.",
        "",
        *_table(("name", "also written"), ((name, ", ".join(others)) for name, others in table.same.items())),
    ]
