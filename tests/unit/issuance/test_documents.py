"""The tables: the life of a document, every pair of statuses; what each service yields."""

from itertools import product

import pytest
from pydantic import ValidationError

from pelangi.audit.catalogue import DOCUMENTS, VISIT_DONE
from pelangi.contracts.codes import DocumentKind, ServiceKind
from services.issuance.documents import (
    FINAL,
    RULES,
    DocumentStatus,
    Family,
    FinishedBy,
    InternalKind,
    ServiceRules,
    is_public,
    load_rules,
    targets,
)

S = DocumentStatus

# DOMAIN.md §5.4, written down a second time
A4 = {
    ("OPEN", "REQUIREMENTS_PENDING"),
    ("OPEN", "DATA_ENTERED"),
    ("REQUIREMENTS_PENDING", "DATA_ENTERED"),
    ("DATA_ENTERED", "VERIFIED"),
    ("DATA_ENTERED", "RETURNED"),
    ("VERIFIED", "SIGNED"),
    ("VERIFIED", "RETURNED"),
    ("RETURNED", "REQUIREMENTS_PENDING"),
    ("SIGNED", "PRINTED"),
    ("SIGNED", "READY_FOR_HANDOVER"),
    ("PRINTED", "READY_FOR_HANDOVER"),
    ("READY_FOR_HANDOVER", "HANDED_OVER"),
}
CARD = {
    ("OPEN", "BIO_CAPTURED"),
    ("BIO_CAPTURED", "AWAITING_CENTRE"),
    ("BIO_CAPTURED", "RETURNED"),
    ("AWAITING_CENTRE", "PRINT_READY"),
    ("AWAITING_CENTRE", "RETURNED"),
    ("PRINT_READY", "PRINTED"),
    ("PRINT_READY", "RETURNED"),
    ("RETURNED", "BIO_CAPTURED"),
    ("PRINTED", "READY_FOR_HANDOVER"),
    ("READY_FOR_HANDOVER", "HANDED_OVER"),
}
FROM_RECORD = CARD | {("OPEN", "PRINT_READY"), ("RETURNED", "PRINT_READY")}

WAYS = {ServiceKind.KK_CHANGE: A4, ServiceKind.KTP_NEW: CARD, ServiceKind.KIA: FROM_RECORD, ServiceKind.KTP_REISSUE: FROM_RECORD}
WITHDRAWN = {"SUPERSEDED", "REVOKED"}
FINISHED = {"HANDED_OVER", "REJECTED", "CANCELLED", *WITHDRAWN}


@pytest.mark.parametrize("issued", [False, True])
@pytest.mark.parametrize("service", WAYS)
def test_every_pair_is_allowed_or_refused_as_the_domain_says(service: ServiceKind, issued: bool) -> None:
    for status, to in product(S, S):
        if status is S.ON_HOLD:
            continue
        forward = (status, to) in WAYS[service]
        away = (to == "REJECTED" and not issued) or (to in WITHDRAWN and issued)
        allowed = (
            forward or (status not in FINISHED and (to == "ON_HOLD" or away)) or (status == "HANDED_OVER" and issued and away)
        )
        assert (to in targets(RULES[service], status, issued=issued)) == allowed, (status, to)


@pytest.mark.parametrize("issued", [False, True])
@pytest.mark.parametrize("held_from", [s for s in S if s not in FINAL and s is not S.ON_HOLD])
def test_on_hold_goes_back_only_where_it_came_from(held_from: DocumentStatus, issued: bool) -> None:
    back = targets(RULES[ServiceKind.KK_NEW], S.ON_HOLD, issued=issued, held_from=held_from)
    assert back == ({held_from, *(WITHDRAWN if issued else {"REJECTED"})})


def test_nobody_can_ask_for_cancelled() -> None:
    for rule, status in product(RULES.values(), S):
        assert S.CANCELLED not in targets(rule, status, issued=False, held_from=S.OPEN)


def test_every_service_has_a_rule_and_no_document_kind_is_forgotten() -> None:
    assert set(RULES) == set(ServiceKind)
    yielded = {kind for rule in RULES.values() for kind in rule.documents}
    assert yielded == {*DocumentKind, InternalKind.SUBSTITUTE_IDENTITY_LETTER}


def test_the_checker_expects_the_same_of_every_service() -> None:
    assert {s for s, rule in RULES.items() if rule.finished_by is FinishedBy.VISIT_DONE} == VISIT_DONE
    for service, kinds in DOCUMENTS.items():
        assert set(RULES[service].documents) <= kinds


def test_the_cards_and_who_gets_one_without_new_biometrics() -> None:
    cards = {s for s, rule in RULES.items() if rule.family is Family.CARD}
    assert cards == {ServiceKind.KTP_NEW, ServiceKind.KTP_REISSUE, ServiceKind.KIA}
    assert {s for s, rule in RULES.items() if rule.from_record} == {ServiceKind.KTP_REISSUE, ServiceKind.KIA}


def test_the_letters_of_vulnerable_residents_are_not_public() -> None:
    assert all(is_public(kind) for kind in DocumentKind)
    assert not any(is_public(kind) for kind in InternalKind)


def test_a_table_that_forgets_a_service_or_contradicts_itself_does_not_load() -> None:
    table = {s.value: r.model_dump(mode="json") for s, r in load_rules().items()}
    with pytest.raises(ValidationError, match="no rule for KIA"):
        ServiceRules.model_validate({k: v for k, v in table.items() if k != "KIA"})
    wrongs: list[dict[str, object]] = [
        {"documents": []},
        {"finished_by": "VISIT_DONE"},
        {"family": "VISIT_ONLY"},
        {"family": "PAPER"},
        {"from_record": True},
        {"documents": ["PASSPORT"]},
        {"typo": 1},
    ]
    for wrong in wrongs:
        with pytest.raises(ValidationError):
            ServiceRules.model_validate(table | {"KK_NEW": table["KK_NEW"] | wrong})
